import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { PlatformChoiceSchema } from "../../src/gen/descry/v1/errors_pb.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { DescryError } from "../../src/oci/errors.ts";
import { errorFromWire } from "../../src/sdk/errors.ts";

function systemError(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}

function withCause(code: Code, message: string, cause: unknown): ConnectError {
  return new ConnectError(message, code, undefined, undefined, cause);
}

test("an answer keeps everything its details say", () => {
  const metadata = {
    op: "PushStream",
    ref: "descry.local/a:b",
    digest: `sha256:${"a".repeat(64)}`,
    side: "store",
    size: "3",
  };
  const error = errorFromWire(
    new ConnectError("no room", Code.ResourceExhausted, undefined, [
      { desc: ErrorInfoSchema, value: { domain: "descry", reason: "STORAGE_FULL", metadata } },
      { desc: BadRequestSchema, value: { fieldViolations: [{ field: "desc.size", description: "is too big" }] } },
      { desc: RetryInfoSchema, value: { retryDelay: durationFromMs(1500) } },
      { desc: PlatformChoiceSchema, value: { available: [{ os: "linux", architecture: "arm", variant: "v7" }] } },
    ]),
  );
  expect(error).toBeInstanceOf(DescryError);
  expect(error).toMatchObject({
    message: "no room",
    reason: "STORAGE_FULL",
    code: "resource_exhausted",
    op: "PushStream",
    ref: "descry.local/a:b",
    digest: `sha256:${"a".repeat(64)}`,
    side: "store",
    metadata: { size: "3" },
    violations: [{ field: "desc.size", description: "is too big" }],
    retryAfter: 1500,
    platforms: [{ os: "linux", architecture: "arm", variant: "v7" }],
  });
});

test("a reason that a newer server knows is kept by name", () => {
  const value = { domain: "descry", reason: "MOON_PHASE", metadata: {} };
  const error = errorFromWire(new ConnectError("wait", Code.Aborted, undefined, [{ desc: ErrorInfoSchema, value }]));
  expect(error).toMatchObject({ reason: undefined, code: "aborted", metadata: { reason: "MOON_PHASE" } });
});

test("somebody else's details are no reason of descry's", () => {
  const value = { domain: "example.com", reason: "TAG_UNKNOWN", metadata: {} };
  const error = errorFromWire(new ConnectError("no", Code.NotFound, undefined, [{ desc: ErrorInfoSchema, value }]));
  expect(error).toMatchObject({ reason: undefined, code: "not_found" });
});

describe("what never reached a service", () => {
  // Codes as connect-node 2.2 gives them (node-error.ts, protocol-connect/transport.ts).
  test.each([
    ["a refused connection", withCause(Code.Unavailable, "x", systemError("ECONNREFUSED")), "unavailable"],
    ["a reset connection", withCause(Code.Aborted, "aborted", systemError("ECONNRESET")), "unavailable"],
    ["a broken pipe", withCause(Code.Internal, "write EPIPE", systemError("EPIPE")), "unavailable"],
    ["a socket file that is missing", withCause(Code.Internal, "x", systemError("ENOENT")), "unavailable"],
    [
      "a stream cut in an envelope",
      new ConnectError("protocol error: incomplete envelope", Code.InvalidArgument),
      "unavailable",
    ],
    [
      "a stream without its end",
      new ConnectError("protocol error: missing EndStreamResponse", Code.InvalidArgument),
      "unavailable",
    ],
    [
      "an HTTP/2 reset",
      new ConnectError("http/2 stream closed with error code CANCEL (0x8)", Code.Canceled),
      "unavailable",
    ],
    [
      "a failed fetch of a browser",
      withCause(Code.Unknown, "Failed to fetch", new TypeError("Failed to fetch")),
      "unavailable",
    ],
    ["a method that is unknown", new ConnectError("HTTP 404", Code.Unimplemented), "unimplemented"],
    ["a deadline", new ConnectError("the operation timed out", Code.DeadlineExceeded), "deadline_exceeded"],
  ])("%s", (_, thrown, code) => {
    expect(errorFromWire(thrown)).toMatchObject({ reason: undefined, code, cause: thrown });
  });

  test("a refused connection on both address families has a message", () => {
    const cause = Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" });
    expect(errorFromWire(withCause(Code.Unavailable, "", cause)).message).toBe(
      "no answer from the server: ECONNREFUSED",
    );
  });
});

test("a DescryError stays what it is", () => {
  const error = new DescryError("TAG_CHANGED", "moved");
  expect(errorFromWire(error)).toBe(error);
});
