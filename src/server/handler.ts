import { constants } from "node:http2";
import { ConnectError, createContextValues } from "@connectrpc/connect";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { incomingKey, outgoingKey } from "../wire/keys.ts";
import { SplicedBody } from "../wire/splice.ts";
import { UnsplicedBody } from "../wire/unsplice.ts";
import { accessLine, faultLine, type Log } from "./access-log.ts";
import { settleConnection, type Exchange, refuse } from "./answer.ts";
import { RequestBody } from "./body.ts";
import { Call, callKey } from "./call.ts";
import { requestIdKey } from "./context.ts";
import { boundDeadline } from "./deadline.ts";
import type { Front } from "./front.ts";
import type { HostRule } from "./hosts.ts";
import type { ServerLimits } from "./limits.ts";
import { type HttpHandler, peerOf } from "./listen.ts";
import { notModified } from "./not-modified.ts";
import { badTarget, protocolRefusal, refusedQuery, unknownPath } from "./refusals.ts";
import { watchBody } from "./response-body.ts";
import { nameUnixHost, targetOf } from "./target.ts";

export interface HandlerOptions {
  /** RPCs by request path. */
  readonly handlers: ReadonlyMap<string, UniversalHandler>;
  readonly front: Front;
  readonly limits: ServerLimits;
  /** While true, HTTP/1.1 connections end after their answer. */
  readonly isDraining: () => boolean;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly newRequestId: () => string;
}

/** The address a request came in by. */
export interface Door {
  readonly unix: boolean;
  readonly hosts: HostRule;
}

/** What a client may choose as X-Request-Id: short, and harmless in a log or a shell. */
const requestIdGrammar = /^[\w.:/+=-]{1,128}$/;

/** Headers by which a client offers to take compressed answers. */
const acceptEncodings = ["Accept-Encoding", "Connect-Accept-Encoding", "Grpc-Accept-Encoding"];

/**
 * Connects Node's HTTP events to Connect's handlers. In place of connectNodeAdapter, which throws out of the event on a
 * Host that makes no URL, so that one request ends the process, and which knows neither 304 nor HEAD nor a log.
 */
export function createHandler(options: HandlerOptions): (door: Door) => HttpHandler {
  const { handlers, front, limits, isDraining, log, clock, newRequestId } = options;
  return (door) => (request, response, awaited) => {
    const wanted = request.headers["x-request-id"];
    const call = new Call({
      requestId: typeof wanted === "string" && requestIdGrammar.test(wanted) ? wanted : newRequestId(),
      startedAt: clock(),
      peer: door.unix ? "unix" : peerOf(request.socket),
      unix: door.unix,
    });
    const exchange: Exchange = { request, response, call, isDraining };
    if (door.unix) nameUnixHost(request);
    const target = targetOf(request);
    const handler = target === undefined ? undefined : handlers.get(target.path);
    response.once("close", () => {
      if (isDraining()) hangUp(exchange);
      log(accessLine(exchange, handler, clock()));
      if (call.fault !== undefined) log(faultLine(exchange, handler, clock()));
    });
    // Connect listens only while it writes, and an error that nobody listens to would end the process.
    response.on("error", () => undefined);
    response.setHeader("X-Request-Id", call.requestId);

    if (target === undefined) return refuse(exchange, badTarget);
    if (front(exchange, target, door.hosts)) return;
    if (handler === undefined) return refuse(exchange, unknownPath(target.path));
    serve(handler, exchange, awaited, limits).catch((error: unknown) => {
      call.fault ??= error;
      cut(exchange);
    });
  };
}

/** Runs one call. */
async function serve(
  handler: UniversalHandler,
  exchange: Exchange,
  awaited: boolean,
  limits: ServerLimits,
): Promise<void> {
  const { request, response, call } = exchange;
  const values = createContextValues().set(requestIdKey, call.requestId).set(callKey, call);
  const { methodKind } = handler.method;
  const binary = request.headers["content-type"]?.includes("json") !== true;
  const outgoing = binary && methodKind === "server_streaming" ? new SplicedBody() : undefined;
  const incomingBytes = binary && methodKind === "client_streaming" ? new UnsplicedBody() : undefined;
  values.set(outgoingKey, outgoing).set(incomingKey, incomingBytes);
  const incoming = universalRequestFromNodeRequest(request, response, undefined, values);
  try {
    boundDeadline(incoming.header, handler.method, limits);
    // Streams carry layers, which are compressed already. What a client compressed is understood all the same.
    if (methodKind !== "unary") for (const name of acceptEncodings) incoming.header.delete(name);
    const body = new RequestBody(request, {
      idleMs: limits.bodyIdleMs,
      signal: () => call.signal,
      onStart: () => {
        // Not before: a call that the gate refuses never asks for its body.
        if (awaited) response.writeContinue();
      },
      onBytes: (count) => (call.bytesIn += count),
    });

    const readable = methodKind === "unary" && handler.allowedMethods.includes("GET");
    const reading = readable && (request.method === "GET" || request.method === "HEAD");
    const refusal = reading ? refusedQuery(request.url ?? "") : undefined;
    if (refusal !== undefined) return refuse(exchange, refusal);
    const answer = await handler({
      ...incoming,
      method: reading ? "GET" : incoming.method,
      body: incomingBytes === undefined ? body : incomingBytes.split(body),
    });
    if (answer.body === undefined && answer.status >= 400)
      return refuse(exchange, protocolRefusal(handler, request, answer.status));
    await respond(exchange, reading ? asRead(exchange, answer) : joined(answer, outgoing), limits);
  } catch (error) {
    if (!incoming.signal.aborted && !isBrokenWrite(error)) call.fault ??= error;
    cut(exchange);
  }
}

/** An answer with the bytes that passed the encoder by. */
function joined(answer: UniversalServerResponse, outgoing: SplicedBody | undefined): UniversalServerResponse {
  if (outgoing === undefined || answer.body === undefined) return answer;
  return { ...answer, body: outgoing.join(answer.body) };
}

/** The answer to a GET or HEAD: it can be kept by caches, and be one that the client has already. */
function asRead({ request }: Exchange, answer: UniversalServerResponse): UniversalServerResponse {
  const header = answer.header ?? new Headers();
  header.append("Vary", "Accept-Encoding");
  const current = notModified(request.headers["if-none-match"], { ...answer, header });
  if (request.method !== "HEAD") return current;
  const { body: _, ...headOnly } = current;
  return headOnly;
}

async function respond(exchange: Exchange, answer: UniversalServerResponse, limits: ServerLimits): Promise<void> {
  const { response, call } = exchange;
  const { header = new Headers() } = answer;
  // Connect writes its header over ours; Vary is the one that both have.
  if (response.hasHeader("Vary")) header.append("Vary", String(response.getHeader("Vary")));
  settleConnection(exchange);
  const { body } = answer;
  const watched =
    body &&
    watchBody(body, {
      idleMs: limits.writeIdleMs,
      onBytes: (count) => (call.bytesOut += count),
      onStall: () => cut(exchange),
    });
  await universalResponseToNodeResponse({ ...answer, header, ...(watched && { body: watched }) }, response);
}

/** Codes of a write to a client that reset its connection: over HTTP/1.1 it may fail before the signal aborts. */
const brokenWrites: ReadonlySet<unknown> = new Set(["ECANCELED", "ECONNRESET", "EPIPE"]);

function isBrokenWrite(error: unknown): boolean {
  const cause = error instanceof ConnectError ? error.cause : undefined;
  return (
    cause instanceof Error &&
    "syscall" in cause &&
    cause.syscall === "write" &&
    "code" in cause &&
    brokenWrites.has(cause.code)
  );
}

/** Ends an HTTP/1.1 connection whose answer was begun before the drain, and promised to keep it. */
function hangUp({ request }: Exchange): void {
  if (!("stream" in request)) request.socket.destroySoon();
}

/** Ends an exchange that cannot be answered properly any more. */
function cut({ request }: Exchange): void {
  if ("stream" in request) request.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else request.socket.destroy();
}
