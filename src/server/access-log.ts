import { inspect } from "node:util";
import { ConnectError } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { Exchange } from "./answer.ts";
import type { Outcome } from "./call.ts";
import { outcomeOf } from "./observe.ts";
import { redactor } from "./redact.ts";

/** One line of the log; an object of JSON values. Holds no header value, no query and no body. */
export type LogLine = AccessLine | FaultLine | BadRequestLine;
export type Log = (line: LogLine) => void;

/** A request and how it ended. */
export interface AccessLine {
  readonly event: "call";
  /** When it came, RFC 3339. */
  readonly time: string;
  readonly request_id: string;
  /** Empty if the gate did not get to know it. */
  readonly caller: string;
  /** `package.Service/Method`, or empty if the request was for none. */
  readonly rpc: string;
  /** HTTP method and path, at most 256 characters of it. */
  readonly method: string;
  readonly path: string;
  /** connect, grpc, grpc-web, or http if no RPC was reached. */
  readonly protocol: string;
  readonly http: string;
  /** HTTP status; 0 if the client went away before one was sent. */
  readonly status: number;
  /** Connect code, or ok. */
  readonly code: string;
  /** ErrorReason, or the reason of an HTTP refusal; empty if there is none. */
  readonly reason: string;
  readonly ms: number;
  readonly messages_in: number;
  readonly messages_out: number;
  /** Bytes of the bodies, as far as they were read and written. */
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly peer: string;
}

/** Why a call failed with a fault of this server. */
export interface FaultLine {
  readonly event: "fault";
  readonly time: string;
  readonly request_id: string;
  readonly rpc: string;
  /** The error with its stack and causes. */
  readonly error: string;
}

/** Bytes that were no HTTP request. */
export interface BadRequestLine {
  readonly event: "bad_request";
  readonly time: string;
  /** Error code of Node: HPE_INVALID_METHOD, ERR_HTTP_REQUEST_TIMEOUT, ERR_SSL_HTTP_REQUEST. */
  readonly code: string;
  readonly peer: string;
}

const PATH_LENGTH = 256;

/** Causes of causes that a fault shows. */
const CAUSE_DEPTH = 4;

export function accessLine(exchange: Exchange, handler: UniversalHandler | undefined, now: number): AccessLine {
  const { request, response, call } = exchange;
  const { code, reason = "" } = outcomeAtEnd(exchange);
  return {
    event: "call",
    time: new Date(call.startedAt).toISOString(),
    request_id: call.requestId,
    caller: call.caller,
    rpc: rpcName(handler),
    method: request.method ?? "",
    path: (request.url ?? "").split(/[?#]/, 1).join("").slice(0, PATH_LENGTH),
    protocol: call.protocol,
    http: request.httpVersion,
    status: response.headersSent ? response.statusCode : 0,
    code,
    reason,
    ms: now - call.startedAt,
    messages_in: call.messagesIn,
    messages_out: call.messagesOut,
    bytes_in: call.bytesIn,
    bytes_out: call.bytesOut,
    peer: call.peer,
  };
}

export function faultLine(exchange: Exchange, handler: UniversalHandler | undefined, now: number): FaultLine {
  const { request, call } = exchange;
  return {
    event: "fault",
    time: new Date(now).toISOString(),
    request_id: call.requestId,
    rpc: rpcName(handler),
    error: redactor(request.headers)(inspect(call.fault, { depth: CAUSE_DEPTH })),
  };
}

/**
 * What the gate and the interceptors saw. What fails beside them, a body that cannot be decoded, aborts the call's
 * signal with its error; a call that nobody finished was given up by its client.
 */
function outcomeAtEnd({ response, call }: Exchange): Outcome {
  if (call.outcome !== undefined) return call.outcome;
  const reason: unknown = call.signal?.reason;
  if (reason instanceof ConnectError) return outcomeOf(reason);
  return { code: response.headersSent ? "unknown" : "canceled" };
}

function rpcName(handler: UniversalHandler | undefined): string {
  return handler === undefined ? "" : `${handler.service.typeName}/${handler.method.name}`;
}
