import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { DescryError } from "../oci/errors.ts";
import { formatListen, type ListenAddress } from "./address.ts";
import type { ServerLimits } from "./limits.ts";
import { lingerOnClose } from "./linger.ts";
import { trackSessions } from "./sessions.ts";
import { sniff } from "./sniff.ts";
import { listenUnix } from "./unix-socket.ts";

/** A request of either HTTP version. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;
/** A response of either HTTP version. */
export type HttpResponse = ServerResponse | Http2ServerResponse;
/** Takes a request. `awaited`: the client sends its body only after 100 Continue. Must not throw. */
export type HttpHandler = (request: HttpRequest, response: HttpResponse, awaited: boolean) => void;

/** Certificate chain and private key, PEM. */
export interface TlsOptions {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export interface ListenOptions {
  readonly handler: HttpHandler;
  readonly limits: ServerLimits;
  /** Needed for https addresses. */
  readonly tls?: TlsOptions;
  /** Told of bytes that were no HTTP request; they reach no handler. */
  readonly onBadRequest: (code: string, peer: string) => void;
}

/** One address that is listened on. */
export interface Listener {
  /** With the port that port 0 became. */
  readonly url: string;
  /** Resolves when the last connection has ended after `close`. */
  readonly closed: Promise<void>;
  /** Takes no more connections; those that are open end with their last call. */
  close(): void;
  /** Ends all connections now. */
  destroy(): void;
}

/** Milliseconds between two looks for HTTP/1.1 headers that are overdue. */
const OVERDUE_CHECK_MS = 5_000;
/** Milliseconds after which TCP asks a silent peer whether it still lives. */
const TCP_KEEP_ALIVE_MS = 60_000;

/**
 * Serves HTTP/1.1 and HTTP/2 on one address: told apart by ALPN under TLS, by the first bytes without.
 *
 * The socket belongs to a http.Server even when HTTP/2 is spoken on it: behind a bare net.Server, Node's HTTP/1.1
 * timeouts and closeIdleConnections silently do nothing.
 */
export async function listen(address: ListenAddress, options: ListenOptions): Promise<Listener> {
  const { limits } = options;
  const server = createListener(address, options);
  const h2 = createHttp2Server({
    settings: {
      initialWindowSize: limits.streamWindowBytes,
      maxConcurrentStreams: limits.maxConcurrentStreams,
      maxHeaderListSize: limits.maxHeaderBytes,
    },
    maxSessionMemory: limits.sessionMemoryMegabytes,
  });
  for (const each of [server, h2]) {
    each.on("request", (request: HttpRequest, response: HttpResponse) => options.handler(request, response, false));
    each.on("checkContinue", (request: HttpRequest, response: HttpResponse) =>
      options.handler(request, response, true),
    );
  }
  const sessions = trackSessions(h2, limits);
  const fresh = routeConnections(server, limits, (socket) => h2.emit("connection", socket));
  server.on("clientError", (error: Error & { readonly code?: string }, socket: Socket) => {
    const { code = error.name } = error;
    // The others are the system's (ECONNRESET): a client that went away.
    if (/^(?:HPE|ERR)_/.test(code)) options.onBadRequest(code, peerOf(socket));
    refuseBytes(code, socket);
  });
  server.maxConnections = limits.maxConnections;

  const closed = new Promise<void>((resolve) => server.once("close", () => resolve()));
  const release = await bind(server, address);
  return {
    url: formatListen(address, portOf(server)),
    closed: closed.then(release),
    close: () => {
      server.close();
      sessions.close();
      // They have not asked for anything yet.
      for (const socket of fresh) socket.destroy();
    },
    destroy: () => {
      sessions.destroy();
      server.closeAllConnections();
    },
  };
}

function createListener(address: ListenAddress, { limits, tls }: ListenOptions): Server {
  const http = {
    headersTimeout: limits.headersTimeoutMs,
    // Bodies may stream for hours; body.ts ends those that stall.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(OVERDUE_CHECK_MS, Math.ceil(limits.headersTimeoutMs / 4)),
    keepAliveTimeout: limits.keepAliveMs,
    maxHeaderSize: limits.maxHeaderBytes,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    noDelay: true,
  };
  if (address.kind === "unix" || !address.tls) return createServer(http);
  if (tls === undefined)
    throw DescryError.field("listen", `${formatListen(address)} needs a certificate and its private key`);
  return createTlsServer({
    ...http,
    cert: tls.cert,
    key: tls.key,
    ALPNProtocols: ["h2", "http/1.1"],
    handshakeTimeout: limits.headersTimeoutMs,
  });
}

/**
 * Puts itself between a server and its own connection listener, which gets the HTTP/1.1 connections only. Answers the
 * connections that have not said yet what they speak.
 */
function routeConnections(server: Server, limits: ServerLimits, acceptH2: (socket: Socket) => void): Set<Socket> {
  const fresh = new Set<Socket>();
  const ready = server.listenerCount("secureConnection") > 0 ? "secureConnection" : "connection";
  const acceptH1 = server.listeners(ready);
  server.removeAllListeners(ready);
  const route = (spoken: string | false | null, socket: Socket): void => {
    if (spoken === "h2") {
      // A client whose process ended says so with a FIN, on which Node's HTTP/2 leaves its calls open.
      socket.once("end", () => socket.destroy());
      return acceptH2(socket);
    }
    lingerOnClose(socket, limits.lingerMs);
    for (const accept of acceptH1) accept.call(server, socket);
  };
  server.on(ready, (socket: Socket) => {
    // Before anything else listens: a reset at this moment must not end the process.
    socket.on("error", () => undefined);
    if (socket instanceof TLSSocket) return route(socket.alpnProtocol, socket);
    fresh.add(socket);
    socket.once("close", () => fresh.delete(socket));
    sniff(socket, limits.headersTimeoutMs, (spoken) => {
      fresh.delete(socket);
      route(spoken, socket);
    });
  });
  return fresh;
}

async function bind(server: Server, address: ListenAddress): Promise<() => Promise<void>> {
  if (address.kind === "unix") return listenUnix(server, address.path);
  server.listen({ host: address.host, port: address.port });
  try {
    await once(server, "listening");
  } catch (error) {
    const description = `${formatListen(address)} cannot be listened on: ${error instanceof Error ? error.message : String(error)}`;
    throw new DescryError("FIELD_INVALID", `listen: ${description}`, {
      violations: [{ field: "listen", description }],
      cause: error,
    });
  }
  return () => Promise.resolve();
}

function portOf(server: Server): number | undefined {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : undefined;
}

/** `address:port` of the other side, `unix` on a unix socket. */
export function peerOf(socket: {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}): string {
  return socket.remoteAddress === undefined ? "unix" : `${socket.remoteAddress}:${socket.remotePort ?? 0}`;
}

const badRequests: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "413 Content Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

/** What is no HTTP gets an HTTP error if it at least looked so; a broken connection or TLS handshake gets nothing. */
function refuseBytes(code: string, socket: Socket): void {
  const status = badRequests[code] ?? (code.startsWith("HPE_") ? "400 Bad Request" : undefined);
  if (status === undefined || !socket.writable) return void socket.destroy();
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}
