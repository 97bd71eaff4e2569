import type { Call } from "./call.ts";
import type { HttpRequest, HttpResponse } from "./listen.ts";

/** One request on its way through the server. */
export interface Exchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly call: Call;
  /** The server is ending, and its HTTP/1.1 connections with their next answer. */
  readonly isDraining: () => boolean;
}

/** An answer outside the RPC protocols, in Connect's error form, so that its clients show the message. */
export interface Refusal {
  readonly status: number;
  /** Connect code in wire spelling: the one its clients make of the status. */
  readonly code: string;
  /** For the access log. */
  readonly reason: string;
  /** Says what to do. */
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends an error with its explanation. */
export function refuse(exchange: Exchange, { status, code, reason, message, headers }: Refusal): void {
  exchange.call.outcome = { code, reason };
  const type = { "Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" };
  send(exchange, status, { ...headers, ...type }, `${JSON.stringify({ code, message })}\n`);
}

/** Sends a whole response. */
export function send(
  exchange: Exchange,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
): void {
  const { request, response } = exchange;
  settleConnection(exchange);
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (body !== undefined) response.setHeader("Content-Length", Buffer.byteLength(body));
  if (body === undefined || request.method === "HEAD") response.end();
  else response.end(body);
}

/**
 * Call before a response's header is written. If the client still sends, it need not go on: over HTTP/1.1 the
 * connection ends with the answer, over HTTP/2 the stream is reset without error (RFC 9113 §8.1).
 */
export function settleConnection({ request, response, isDraining }: Exchange): void {
  if ("stream" in request) {
    const { stream } = request;
    if (request.complete || stream.endAfterHeaders) return;
    // Node sends the trailers in the next immediate; a reset before them would take them away.
    stream.once("wantTrailers", () => setImmediate(() => stream.close()));
    return;
  }
  const unread = !request.complete && hasBody(request.headers);
  if (unread || isDraining()) response.setHeader("Connection", "close");
  // Else Node would read the whole body after the answer, to throw it away.
  if (unread) request.read(0);
}

function hasBody(headers: HttpRequest["headers"]): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}
