import { Code, ConnectError } from "@connectrpc/connect";
import { codeFromString, errorToJson } from "@connectrpc/connect/protocol-connect";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../src/gen/descry/v1/errors_pb.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { DescryError, isReason, type Reason } from "../../src/oci/errors.ts";
import { isFault, reasonOf, toConnectError } from "../../src/server/errors.ts";

const context = { op: "Resolve", requestId: "r-1" };
const info = (error: ConnectError) => error.findDetails(ErrorInfoSchema)[0];

/** Every reason of the contract, by the names of its enum. */
const reasons = Object.keys(ErrorReason)
  .filter((name): name is Reason => isReason(name))
  .map((reason) => [reason] as const);

test("the contract's reasons are all known", () => {
  const names = Object.keys(ErrorReason).filter((name) => !/^\d+$/.test(name) && name !== "UNSPECIFIED");
  expect(reasons.map(([reason]) => reason).toSorted()).toEqual(names.toSorted());
});

test.each(reasons)("%s keeps its code, and is told by name", (reason) => {
  const error = new DescryError(reason, "text");
  const wire = toConnectError(error, context);
  expect(wire.code).toBe(codeFromString(error.code));
  expect(wire.rawMessage).toBe("text");
  expect(info(wire)).toMatchObject({ domain: "descry", reason, metadata: { op: "Resolve" } });
  expect(reasonOf(wire)).toBe(reason);
  // errors.proto: "The only reason that comes with WWW-Authenticate".
  expect(wire.metadata.has("WWW-Authenticate")).toBe(reason === "CALLER_UNAUTHENTICATED");
  expect(isFault(wire)).toBe(reason === "INTERNAL" || reason === "STORE_CORRUPT");
});

test("metadata that is not known is left out", () => {
  const wire = toConnectError(new DescryError("TAG_UNKNOWN", "", { op: "Copy", ref: "", side: "source" }), context);
  expect(info(wire)?.metadata).toEqual({ op: "Copy", side: "source" });
});

test("violations are all told, in their order", () => {
  const violations = [
    { field: "desc.size", description: "is negative" },
    { field: "ref", description: "is missing" },
  ];
  const wire = toConnectError(DescryError.fields(violations), context);
  expect(wire.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject(violations);
});

test.each([
  [0, { seconds: 0n, nanos: 0 }],
  [999, { seconds: 0n, nanos: 999_000_000 }],
  [61_000, { seconds: 61n, nanos: 0 }],
])("a wait of %d ms", (retryAfter, duration) => {
  const wire = toConnectError(new DescryError("RATE_LIMITED", "", { retryAfter }), context);
  expect(wire.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject(duration);
});

test("an error without a reason carries nothing but its code", () => {
  const wire = toConnectError(new DescryError(undefined, "gone", { code: "canceled" }), context);
  expect(wire).toMatchObject({ code: Code.Canceled, details: [] });
});

describe("an error that is not ours", () => {
  const cause = new Error("the password is hunter2");

  test("is internal, and stays here", () => {
    const wire = toConnectError(cause, context);
    expect(wire).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
    expect(info(wire)?.metadata).toEqual({ op: "Resolve", request_id: "r-1" });
    expect(JSON.stringify(errorToJson(wire, undefined))).not.toContain("hunter2");
    expect(wire.cause).toMatchObject({ cause });
  });

  test.each(["a string", 42, null, undefined, { an: "object" }])("may be %j", (thrown) => {
    expect(toConnectError(thrown, context).code).toBe(Code.Internal);
  });

  test("is the deadline's if it came after it", () => {
    const reason = new ConnectError("late", Code.DeadlineExceeded);
    expect(toConnectError(cause, { ...context, signal: AbortSignal.abort(reason) })).toBe(reason);
  });

  test("is the client's if it came after it went", () => {
    const wire = toConnectError(cause, { ...context, signal: AbortSignal.abort() });
    expect(wire).toMatchObject({ code: Code.Canceled, details: [] });
  });
});

test("what is thrown to stop work is a cancellation", () => {
  const aborted = AbortSignal.abort().reason as unknown;
  expect(toConnectError(aborted, context).code).toBe(Code.Canceled);
});

test("our own error counts, though the call was aborted meanwhile", () => {
  const error = new DescryError("STORAGE_FULL", "full");
  expect(toConnectError(error, { ...context, signal: AbortSignal.abort() }).code).toBe(Code.ResourceExhausted);
});

test("Connect's own errors pass", () => {
  const error = new ConnectError("too long", Code.ResourceExhausted);
  expect(toConnectError(error, context)).toBe(error);
});
