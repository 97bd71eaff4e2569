import { describe, expect, test } from "vitest";
import { ContentService } from "../../src/gen/descry/v1/content_service_pb.ts";
import { boundDeadline } from "../../src/server/deadline.ts";
import { defaultLimits } from "../../src/server/limits.ts";

const limits = { ...defaultLimits, unaryTimeoutMs: 60_000, maxTimeoutMs: 86_400_000 };
const unary = ContentService.method.resolve;
const stream = ContentService.method.fetchStream;
const connect = { "Content-Type": "application/json" };
const grpc = { "Content-Type": "application/grpc+proto" };
const web = { "Content-Type": "application/grpc-web" };

/** Connect: milliseconds, at most 10 digits. gRPC: at most 8 digits and a unit (PROTOCOL-HTTP2.md, "Timeout"). */
describe("the deadline a call gets", () => {
  test.each([
    ["a unary Connect call without one", unary, connect, { "connect-timeout-ms": "60000" }],
    ["a GET", unary, {}, { "connect-timeout-ms": "60000" }],
    ["a unary gRPC call without one", unary, grpc, { "grpc-timeout": "60000m" }],
    ["a unary gRPC-Web call without one", unary, web, { "grpc-timeout": "60000m" }],
    ["a stream without one", stream, connect, {}],
    ["a gRPC stream without one", stream, grpc, {}],
    ["a short one", unary, { ...connect, "Connect-Timeout-Ms": "1" }, { "connect-timeout-ms": "1" }],
    ["a stream's own", stream, { ...grpc, "Grpc-Timeout": "5H" }, { "grpc-timeout": "5H" }],
    [
      "one of 100 days",
      unary,
      { ...connect, "Connect-Timeout-Ms": "8640000000" },
      { "connect-timeout-ms": "86400000" },
    ],
    ["one of years", stream, { ...grpc, "Grpc-Timeout": "99999999H" }, { "grpc-timeout": "86400000m" }],
    ["one of 25 h in seconds", unary, { ...grpc, "Grpc-Timeout": "90000S" }, { "grpc-timeout": "86400000m" }],
    ["one of 23 h in minutes", unary, { ...grpc, "Grpc-Timeout": "1380M" }, { "grpc-timeout": "1380M" }],
    ["one in microseconds", unary, { ...grpc, "Grpc-Timeout": "99999999u" }, { "grpc-timeout": "99999999u" }],
    [
      "none that Connect understands",
      unary,
      { ...connect, "Connect-Timeout-Ms": "-1" },
      { "connect-timeout-ms": "-1" },
    ],
    ["none that gRPC understands", unary, { ...grpc, "Grpc-Timeout": "1 h" }, { "grpc-timeout": "1 h" }],
    [
      "another protocol's",
      unary,
      { ...connect, "Grpc-Timeout": "1S" },
      { "connect-timeout-ms": "60000", "grpc-timeout": "1S" },
    ],
  ])("%s", (_, method, given, expected) => {
    const header = new Headers(given);
    boundDeadline(header, method, limits);
    header.delete("Content-Type");
    expect(Object.fromEntries(header)).toEqual(expected);
  });

  test("the longest fits gRPC's eight digits, and Node's timers", () => {
    expect(String(defaultLimits.maxTimeoutMs).length).toBeLessThanOrEqual(8);
    expect(String(defaultLimits.unaryTimeoutMs).length).toBeLessThanOrEqual(8);
    expect(defaultLimits.maxTimeoutMs).toBeLessThan(2 ** 31);
  });
});
