import type { ClientSessionOptions, SecureClientSessionOptions } from "node:http2";
import { connect } from "node:net";
import { createConnectTransport, createNodeHttpClient, Http2SessionManager } from "@connectrpc/connect-node";
import type { Channel } from "../channel.ts";
import type { Endpoint } from "./endpoint.ts";
import { createStreamTransport } from "./stream-transport.ts";

/**
 * HTTP/2 flow-control windows, in bytes. A window bounds what is under way, so throughput on a link of round-trip
 * time t is at most window / t: Node's 64 KiB give 3 MiB/s at 20 ms, 8 MiB give 400 MiB/s.
 */
const STREAM_WINDOW_BYTES = 8 * 1024 * 1024;
/** Of the whole connection, so that one slow reader does not starve the other streams. */
const CONNECTION_WINDOW_BYTES = 32 * 1024 * 1024;

/** Connect over one HTTP/2 connection: h2c by prior knowledge, or h2 by ALPN. */
export function openHttp2(endpoint: Endpoint): Channel {
  const { baseUrl, socketPath, tls } = endpoint;
  const sessionOptions: ClientSessionOptions | SecureClientSessionOptions = {
    ...tls,
    settings: { initialWindowSize: STREAM_WINDOW_BYTES },
    ...(socketPath === undefined ? {} : { createConnection: () => connect(socketPath) }),
  };
  const sessions = new WideSessions(new URL(baseUrl).origin, undefined, sessionOptions);
  const answers = createConnectTransport({ baseUrl, httpVersion: "2", sessionManager: sessions });
  const httpClient = createNodeHttpClient({ httpVersion: "2", sessionProvider: () => sessions });
  const streams = createStreamTransport(baseUrl, httpClient);
  return {
    transport: { unary: (...call) => answers.unary(...call), stream: (...call) => streams.stream(...call) },
    streamsRequests: true,
    splices: true,
    close: () => sessions.abort(),
  };
}

/** Widens the connection's window, for which the manager has no option: it hides its session but not its streams. */
class WideSessions extends Http2SessionManager {
  override async request(...request: Parameters<Http2SessionManager["request"]>) {
    const stream = await super.request(...request);
    const { session } = stream;
    if (session !== undefined && session.state.localWindowSize !== CONNECTION_WINDOW_BYTES)
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    return stream;
  }
}
