import { Code, ConnectError } from "@connectrpc/connect";
import { Interrupt } from "./interrupt.ts";
import type { HttpRequest } from "./listen.ts";

export interface BodyOptions {
  /** Milliseconds to wait for the next bytes. */
  readonly idleMs: number;
  /** Called before the first byte is asked for. */
  readonly onStart: () => void;
  readonly onBytes: (count: number) => void;
}

/**
 * A request's body, read no faster than asked for, and given up when nothing comes (deadline_exceeded) or the call
 * ends. Stopping early leaves the request open, so that it can still be answered.
 */
export class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #request: HttpRequest;
  readonly #options: BodyOptions;
  readonly #stop = new Interrupt();

  constructor(request: HttpRequest, options: BodyOptions) {
    this.#request = request;
    this.#options = options;
  }

  /** Gives up when the signal aborts, with its reason. */
  follow(signal: AbortSignal): void {
    if (signal.aborted) this.#stop.interrupt(signal.reason);
    else signal.addEventListener("abort", () => this.#stop.interrupt(signal.reason), { once: true });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    const { idleMs, onStart, onBytes } = this.#options;
    onStart();
    const chunks: AsyncIterator<Uint8Array> = this.#request.iterator({ destroyOnReturn: false });
    let waiting = true;
    const timer = setTimeout(() => {
      if (waiting)
        this.#stop.interrupt(new ConnectError(`no byte of the request came for ${idleMs} ms`, Code.DeadlineExceeded));
    }, idleMs);
    try {
      for (;;) {
        waiting = true;
        timer.refresh();
        const chunk = await this.#stop.wait(readNext(chunks));
        waiting = false;
        if (chunk.done === true) return;
        onBytes(chunk.value.byteLength);
        yield chunk.value;
      }
    } finally {
      clearTimeout(timer);
      // Not awaited: after an interruption it waits behind a read that may never end.
      chunks.return?.().catch(() => undefined);
    }
  }
}

/** The one way a request can fail while it is read is that its sender goes away. */
async function readNext(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  try {
    return await chunks.next();
  } catch (cause) {
    throw new ConnectError("the client went away", Code.Canceled, undefined, undefined, cause);
  }
}
