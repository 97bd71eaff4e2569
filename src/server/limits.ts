/** Every number that bounds what a client can make the server do. Tests shorten them; the defaults are for production. */
export interface ServerLimits {
  /** Milliseconds from accepting a socket to its first bytes, for a TLS handshake, and for the header of a request. */
  readonly headersTimeoutMs: number;
  /** Milliseconds a call waits for the next bytes of its request body. */
  readonly bodyIdleMs: number;
  /** Milliseconds a response waits for a reader that takes nothing. */
  readonly writeIdleMs: number;
  /** Milliseconds an HTTP/1.1 connection without a request stays open. */
  readonly keepAliveMs: number;
  /** Milliseconds an HTTP/2 connection without a stream stays open. */
  readonly sessionIdleMs: number;
  /** Milliseconds to wait for the client to take an early answer before its connection is cut. */
  readonly lingerMs: number;
  /** Bytes of a request's header, HTTP/1.1 and HTTP/2 alike. */
  readonly maxHeaderBytes: number;
  /** Connections of one listen address. */
  readonly maxConnections: number;
  /** Streams of one HTTP/2 connection. */
  readonly maxConcurrentStreams: number;
  /** HTTP/2 receive window of a stream, in bytes. */
  readonly streamWindowBytes: number;
  /** HTTP/2 receive window of a connection, in bytes. */
  readonly connectionWindowBytes: number;
  /** Megabytes that one HTTP/2 connection may hold (http2 option maxSessionMemory). */
  readonly sessionMemoryMegabytes: number;
  /** Bytes of one request message, after decompression. */
  readonly readMaxBytes: number;
  /** Bytes of one response message. */
  readonly writeMaxBytes: number;
  /** Milliseconds a unary call may take when its caller set no deadline. */
  readonly unaryTimeoutMs: number;
  /** Milliseconds of the longest deadline; a longer one is cut to it. */
  readonly maxTimeoutMs: number;
  /** Milliseconds that running calls get to end by themselves in a drain. */
  readonly drainMs: number;
  /** Milliseconds that calls aborted by a drain get to send their last words. */
  readonly abortGraceMs: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

/**
 * The window of one stream. A sender has at most one window in flight per round trip, so 4 MiB over 20 ms is 200 MiB/s,
 * more than a 1 Gbit/s link; Node's default of 64 KiB is 3 MiB/s. It is also what a sender can park in our memory while
 * the store is slow, so no larger than needed.
 */
const STREAM_WINDOW_BYTES = 4 * MiB;

/** The window of a connection: four streams at full speed, and the most one connection can park in memory. */
const CONNECTION_WINDOW_BYTES = 16 * MiB;

export const defaultLimits: ServerLimits = {
  // Headers are one packet or two. Clients that open a connection in advance open another after this.
  headersTimeoutMs: 20 * SECOND,
  // A sender that hashes or reads a slow disk between two chunks needs seconds, not minutes.
  bodyIdleMs: MINUTE,
  // Readers may pause (a full disk, a suspended laptop); a dead one is found by TCP keep-alive.
  writeIdleMs: 5 * MINUTE,
  // Longer than the 60 s of common proxies, so that they close first and never reuse a socket we are closing.
  keepAliveMs: 75 * SECOND,
  sessionIdleMs: 5 * MINUTE,
  lingerMs: SECOND,
  // X-Registry-Config with tokens for a dozen registries, and GET URLs of 10 KiB, fit.
  maxHeaderBytes: 48 * KiB,
  maxConnections: 4096,
  maxConcurrentStreams: 100,
  streamWindowBytes: STREAM_WINDOW_BYTES,
  connectionWindowBytes: CONNECTION_WINDOW_BYTES,
  // The connection's window, and 256 KiB of response for each of 100 streams, with room to spare.
  sessionMemoryMegabytes: 64,
  // Push carries 4 MiB, which base64 makes 5.4 MiB in JSON.
  readMaxBytes: 8 * MiB,
  writeMaxBytes: 8 * MiB,
  // The contract: "Deadlines: the caller's; without one, 60 s for unary calls and none for streams".
  unaryTimeoutMs: MINUTE,
  maxTimeoutMs: 24 * 60 * MINUTE,
  drainMs: 30 * SECOND,
  abortGraceMs: SECOND,
};
