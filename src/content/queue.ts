/** Lets one at a time work on each key, in order of arrival. */
export interface KeyedQueue {
  /** Runs `work` when nobody before it works on `key`. Waiting ends with the signal's reason when it aborts. */
  run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

export function createKeyedQueue(): KeyedQueue {
  const tails = new Map<string, Promise<void>>();
  return {
    run: async (key, signal, work) => {
      const before = tails.get(key);
      const { promise: done, resolve: finish } = Promise.withResolvers<void>();
      const tail = before === undefined ? done : before.then(() => done);
      tails.set(key, tail);
      void tail.then(() => {
        if (tails.get(key) === tail) tails.delete(key);
      });
      try {
        if (before !== undefined) await orAborted(before, signal);
        signal.throwIfAborted();
        return await work();
      } finally {
        finish();
      }
    },
  };
}

async function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
