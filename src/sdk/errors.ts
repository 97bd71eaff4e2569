import { Code as WireCode, ConnectError } from "@connectrpc/connect";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { PlatformChoiceSchema } from "../gen/descry/v1/errors_pb.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import { isDigest } from "../oci/digest.ts";
import { type Code, DescryError, type ErrorOptions, isReason } from "../oci/errors.ts";
import { platformFromWire } from "./values.ts";

const codes: Readonly<Record<WireCode, Code>> = {
  [WireCode.Canceled]: "canceled",
  [WireCode.Unknown]: "unknown",
  [WireCode.InvalidArgument]: "invalid_argument",
  [WireCode.DeadlineExceeded]: "deadline_exceeded",
  [WireCode.NotFound]: "not_found",
  [WireCode.AlreadyExists]: "already_exists",
  [WireCode.PermissionDenied]: "permission_denied",
  [WireCode.ResourceExhausted]: "resource_exhausted",
  [WireCode.FailedPrecondition]: "failed_precondition",
  [WireCode.Aborted]: "aborted",
  [WireCode.OutOfRange]: "out_of_range",
  [WireCode.Unimplemented]: "unimplemented",
  [WireCode.Internal]: "internal",
  [WireCode.Unavailable]: "unavailable",
  [WireCode.DataLoss]: "data_loss",
  [WireCode.Unauthenticated]: "unauthenticated",
};

/** google.rpc.ErrorInfo.domain of descry's own errors (proto/descry/v1/errors.proto). */
const DOMAIN = "descry";

/** Whatever a call threw, as a DescryError: the one mapping back from the wire. */
export function errorFromWire(thrown: unknown): DescryError {
  if (thrown instanceof DescryError) return thrown;
  const error = ConnectError.from(thrown);
  const info = error.findDetails(ErrorInfoSchema).find((detail) => detail.domain === DOMAIN);
  if (info === undefined) return withoutReason(error);

  const { op, ref, digest, side, ...metadata } = info.metadata;
  const retryDelay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const options: ErrorOptions = {
    code: codes[error.code],
    // A server newer than this client knows more reasons.
    metadata: isReason(info.reason) ? metadata : { ...metadata, reason: info.reason },
    violations: error
      .findDetails(BadRequestSchema)
      .flatMap((detail) => detail.fieldViolations.map(({ field, description }) => ({ field, description }))),
    platforms: error
      .findDetails(PlatformChoiceSchema)
      .flatMap((detail) => detail.available.map((platform) => platformFromWire(platform))),
    ...(op === undefined ? {} : { op }),
    ...(ref === undefined ? {} : { ref }),
    ...(digest !== undefined && isDigest(digest) ? { digest } : {}),
    ...(side === "source" || side === "target" || side === "store" ? { side } : {}),
    ...(retryDelay === undefined ? {} : { retryAfter: durationMs(retryDelay) }),
    cause: error,
  };
  return new DescryError(isReason(info.reason) ? info.reason : undefined, error.rawMessage, options);
}

/** What no service of descry answered: a broken connection, a time-out, a proxy, somebody else's server. */
function withoutReason(error: ConnectError): DescryError {
  if (isBreak(error))
    return new DescryError(undefined, `no answer from the server: ${rootMessage(error)}`, {
      code: "unavailable",
      cause: error,
    });
  return new DescryError(undefined, error.rawMessage, { code: codes[error.code], cause: error });
}

/**
 * Whether the connection failed rather than the call. connect-node 2.2 gives such errors the codes aborted, internal,
 * canceled and invalid_argument, depending on the moment and the HTTP version; what they share is a cause with a
 * system error code, or a message about a stream that ended too early.
 */
function isBreak(error: ConnectError): boolean {
  if (error.code === WireCode.Unavailable) return true;
  if (causes(error).some((cause) => systemCode(cause) !== undefined || isFetchFailure(cause))) return true;
  return /^(protocol error: (missing EndStreamResponse|incomplete envelope|promised)|http\/2 stream closed)/.test(
    error.rawMessage,
  );
}

/** Whether the connection was reset: what happens to a kept-alive connection that the server closed meanwhile. */
export function isReset(error: DescryError): boolean {
  return causes(error).some((cause) => ["ECONNRESET", "EPIPE"].includes(systemCode(cause) ?? ""));
}

/** Node's system errors and those of its streams, HTTP and TLS: ECONNRESET, ERR_STREAM_PREMATURE_CLOSE, HPE_INVALID. */
function systemCode(error: Error): string | undefined {
  if (!("code" in error) || typeof error.code !== "string") return undefined;
  if (error instanceof DescryError || error.code === "ABORT_ERR") return undefined;
  return error.code;
}

/** fetch fails with a TypeError and says no more (Fetch standard, "network error"). */
function isFetchFailure(error: Error): boolean {
  return error instanceof TypeError && /fetch|network|load failed/i.test(error.message);
}

function causes(error: Error): readonly Error[] {
  const chain: Error[] = [];
  for (let next: unknown = error; next instanceof Error && !chain.includes(next); next = next.cause) chain.push(next);
  return chain;
}

function rootMessage(error: ConnectError): string {
  const root = causes(error).at(-1);
  if (root === undefined || root instanceof ConnectError) return error.rawMessage;
  // Node's AggregateError of a refused connection on both address families has no message of its own.
  if (root.message === "" && "code" in root && typeof root.code === "string") return root.code;
  return root.message;
}
