/** Something that can be waited for only until it is interrupted. One wait at a time. */
export class Interrupt {
  #interrupted = false;
  #reason: unknown;
  #reject: ((reason: unknown) => void) | undefined;

  /** Fails the wait that is under way, and all later ones. The first reason counts. */
  interrupt(reason: unknown): void {
    if (this.#interrupted) return;
    this.#interrupted = true;
    this.#reason = reason;
    this.#reject?.(reason);
  }

  /** What `promise` becomes, or the reason. What comes of an interrupted promise is ignored, a failure as well. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(resolve, reject);
      if (this.#interrupted) reject(this.#reason);
      else this.#reject = reject;
    });
  }
}

/** What `promise` becomes, or the signal's reason as soon as it aborts. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const stop = new Interrupt();
  const onAbort = (): void => stop.interrupt(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    return await stop.wait(promise);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * `source`, ended by the signal's reason as soon as it aborts, even while `source` is stuck. Unlike racing each item
 * against one promise of the abort, nothing piles up on a long stream.
 */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void> {
  const stop = new Interrupt();
  const onAbort = (): void => stop.interrupt(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  const items = source[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const item = await stop.wait(items.next());
      if (item.done === true) {
        ended = true;
        return;
      }
      yield item.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Not awaited: a source that is stuck would hold us too. Its failure is no news any more.
    if (!ended) items.return?.().catch(() => undefined);
  }
}
