import type { DescMethod } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { unlessAborted, untilAborted } from "./interrupt.ts";
import type { ServerLimits } from "./limits.ts";

/** Milliseconds of the units of grpc-timeout (PROTOCOL-HTTP2.md, "TimeoutUnit"). */
const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * Bounds a call's deadline by writing it into the request's header, where Connect finds it: unary calls get one if they
 * have none, and one that is too long is cut. (Connect would refuse a long one, and gRPC clients send "endless" as
 * years.) What is no time-out is left for Connect to refuse.
 */
export function boundDeadline(header: Headers, method: DescMethod, limits: ServerLimits): void {
  const grpc = header.get("Content-Type")?.startsWith("application/grpc") === true;
  const name = grpc ? "Grpc-Timeout" : "Connect-Timeout-Ms";
  const asked = header.get(name);
  let timeoutMs: number | undefined;
  if (asked === null) {
    if (method.methodKind === "unary") timeoutMs = limits.unaryTimeoutMs;
  } else if (milliseconds(asked, grpc) > limits.maxTimeoutMs) {
    timeoutMs = limits.maxTimeoutMs;
  }
  if (timeoutMs !== undefined) header.set(name, grpc ? `${timeoutMs}m` : String(timeoutMs));
}

function milliseconds(text: string, grpc: boolean): number {
  const match = grpc ? /^(\d{1,8})([HMSmun])$/.exec(text) : /^(\d{1,10})()$/.exec(text);
  if (match === null) return NaN;
  return Number(match[1]) * (grpc ? (units[match[2] ?? ""] ?? NaN) : 1);
}

/**
 * Ends a call when its signal aborts, whether or not its handler looks at the signal: Connect itself only informs the
 * handler, so that a stuck one would outlive its deadline and the drain.
 */
export const enforceSignal: Interceptor = (next) => async (request) => {
  const response = await unlessAborted(next(request), request.signal);
  if (!response.stream) return response;
  return { ...response, message: untilAborted(response.message, request.signal) };
};
