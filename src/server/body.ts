import { Code, ConnectError } from "@connectrpc/connect";
import type { HttpRequest } from "./listen.ts";

export interface BodyOptions {
  /** Milliseconds to wait for the next bytes. */
  readonly idleMs: number;
  /**
   * The call's signal, once the gate knows it. The body is given up when it aborts, with its reason: the client went
   * away, the deadline came, the server drains.
   */
  readonly signal: () => AbortSignal | undefined;
  /** Called before the first byte is asked for. */
  readonly onStart: () => void;
  readonly onBytes: (count: number) => void;
}

/**
 * Bytes of a body that are read ahead of whoever wants them. Node stops and starts a connection whenever its own 64 KiB
 * are full, which is after every read: with this much between the two a push takes three quarters of the time.
 */
const READ_AHEAD_BYTES: number = 1024 * 1024;

/**
 * A request's body, read once and hardly faster than asked for, and given up when nothing comes (deadline_exceeded) or
 * the call ends. Stopping early leaves the request open, so that it can still be answered. A small body is here with its
 * header: timers and listeners for its end are made only when there is something to wait for.
 *
 * An end is no proof of wholeness: Node's HTTP/2 client ends a stream before it resets it. Whoever reads knows the size.
 */
export class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #request: HttpRequest;
  readonly #options: BodyOptions;
  readonly #ahead: Uint8Array[] = [];
  #aheadBytes = 0;
  #ended = false;
  #wake = (): void => undefined;

  constructor(request: HttpRequest, options: BodyOptions) {
    this.#request = request;
    this.#options = options;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    const request = this.#request;
    this.#options.onStart();
    request.on("data", this.#onData).on("end", this.#onEnd);
    try {
      for (;;) {
        this.#options.signal()?.throwIfAborted();
        const chunk = this.#ahead.shift();
        if (chunk !== undefined) {
          this.#aheadBytes -= chunk.byteLength;
          if (this.#aheadBytes < READ_AHEAD_BYTES && request.isPaused()) request.resume();
          this.#options.onBytes(chunk.byteLength);
          yield chunk;
        } else if (this.#ended) {
          return;
        } else {
          await this.#news();
        }
      }
    } finally {
      // First: what comes while nobody listens would be lost, and taken for read.
      request.pause();
      request.off("data", this.#onData).off("end", this.#onEnd);
    }
  }

  /** Resolves when there may be more to read. */
  #news(): Promise<void> {
    const { idleMs } = this.#options;
    const signal = this.#options.signal();
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        end();
      };
      const onAbort = (): void => settle(() => reject(signal?.reason));
      const onIdle = (): void =>
        settle(() => reject(new ConnectError(`no byte of the request came for ${idleMs} ms`, Code.DeadlineExceeded)));
      const timer = setTimeout(onIdle, idleMs);
      signal?.addEventListener("abort", onAbort);
      this.#wake = () => settle(resolve);
    });
  }

  readonly #onData = (chunk: Uint8Array): void => {
    this.#ahead.push(chunk);
    this.#aheadBytes += chunk.byteLength;
    if (this.#aheadBytes >= READ_AHEAD_BYTES) this.#request.pause();
    this.#wake();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake();
  };
}
