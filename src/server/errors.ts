import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { DurationSchema, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import { PlatformChoiceSchema } from "../gen/descry/v1/errors_pb.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import { DescryError } from "../oci/errors.ts";
import { callKey } from "./call.ts";
import { requestIdKey } from "./context.ts";

/** The domain of every ErrorInfo of this server. */
const ERROR_DOMAIN = "descry";

/** The call in which an error came up. */
export interface ErrorContext {
  /** RPC name. */
  readonly op: string;
  readonly requestId: string;
  /** The call's signal: what fails after it aborted failed because of that. */
  readonly signal?: AbortSignal;
}

/**
 * The one place where errors get their wire form (proto/descry/v1/errors.proto). Of an error that is not ours nothing
 * leaves the server but the request ID; it stays as `cause` for the log.
 */
export function toConnectError(error: unknown, context: ErrorContext): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof DescryError) return fromDescryError(error, context);
  if (context.signal?.aborted === true) return fromAbort(context.signal.reason, error);
  if (error instanceof Error && error.name === "AbortError") return fromAbort(error, error);
  const metadata = { request_id: context.requestId };
  return fromDescryError(new DescryError("INTERNAL", "internal error", { metadata, cause: error }), context);
}

/** A signal that aborts for a reason worth telling aborts with a ConnectError; else the client is gone. */
function fromAbort(reason: unknown, cause: unknown): ConnectError {
  if (reason instanceof ConnectError) return reason;
  return new ConnectError("the call was canceled", Code.Canceled, undefined, undefined, cause);
}

function fromDescryError(error: DescryError, context: ErrorContext): ConnectError {
  const code = codeFromString(error.code) ?? Code.Unknown;
  if (error.reason === undefined) return new ConnectError(error.message, code, undefined, undefined, error);
  const details = [
    detail(ErrorInfoSchema, { reason: error.reason, domain: ERROR_DOMAIN, metadata: metadataOf(error, context) }),
  ];
  const { violations, retryAfter, platforms } = error;
  if (violations.length > 0)
    details.push(detail(BadRequestSchema, { fieldViolations: violations.map((violation) => ({ ...violation })) }));
  if (retryAfter !== undefined)
    details.push(detail(RetryInfoSchema, { retryDelay: create(DurationSchema, durationFromMs(retryAfter)) }));
  if (error.reason === "PLATFORM_AMBIGUOUS" || error.reason === "PLATFORM_UNKNOWN")
    details.push(
      detail(PlatformChoiceSchema, {
        available: platforms.map(({ osFeatures, ...platform }) => ({
          ...platform,
          osFeatures: [...(osFeatures ?? [])],
        })),
      }),
    );
  const challenge =
    error.reason === "CALLER_UNAUTHENTICATED" ? { "WWW-Authenticate": 'Bearer realm="descry"' } : undefined;
  return new ConnectError(error.message, code, challenge, details, error);
}

type Detail = Extract<ConnectError["details"][number], { readonly desc: DescMessage }>;

function detail<Desc extends DescMessage>(desc: Desc, value: MessageInitShape<Desc>): Detail {
  return { desc, value };
}

function metadataOf(error: DescryError, { op, requestId }: ErrorContext): Record<string, string> {
  const known = {
    op: error.op ?? op,
    ref: error.ref,
    digest: error.digest,
    side: error.side,
    ...(error.reason === "INTERNAL" ? { request_id: requestId } : {}),
  };
  const some = Object.entries(known).filter((entry): entry is [string, string] => !!entry[1]);
  // A reason's own metadata says something when it is empty, too: current_digest.
  return { ...Object.fromEntries(some), ...error.metadata };
}

/** The reason of an error in wire form: that of its ErrorInfo. */
export function reasonOf(error: ConnectError): string | undefined {
  return error.findDetails(ErrorInfoSchema).find((info) => info.domain === ERROR_DOMAIN)?.reason;
}

/** Whether an error in wire form is a fault of this server, of which its log should tell more. */
export function isFault(error: ConnectError): boolean {
  const reason = reasonOf(error);
  return reason === "INTERNAL" || reason === "STORE_CORRUPT";
}

/** Gives each error of a handler its wire form, also one that comes in the middle of a stream. */
export const mapErrors: Interceptor = (next) => async (request) => {
  const context: ErrorContext = {
    op: request.method.name,
    requestId: request.contextValues.get(requestIdKey),
    signal: request.signal,
  };
  const fail = (error: unknown): never => {
    const mapped = toConnectError(error, context);
    const call = request.contextValues.get(callKey);
    if (call !== undefined && isFault(mapped)) call.fault = error;
    throw mapped;
  };
  const response = await next(request).catch(fail);
  if (!response.stream) return response;
  return { ...response, message: mapped(response.message, fail) };
};

async function* mapped<T>(messages: AsyncIterable<T>, fail: (error: unknown) => never): AsyncGenerator<T, void> {
  try {
    yield* messages;
  } catch (error) {
    fail(error);
  }
}
