import type { Collected, Store } from "../store/store.ts";

/** Background work of the one process that leads a store. */
export interface Upkeep {
  /** Waits for what is running. */
  stop(): Promise<void>;
}

export interface UpkeepOptions {
  /** Calls back again and again, until the function it answers is called. */
  readonly repeat: (work: () => void) => () => void;
  readonly onCollected: (collected: Collected) => void;
  readonly onError: (error: unknown) => void;
}

/** Collects what nobody needs, now and then; one round at a time. */
export function startUpkeep(store: Store, { repeat, onCollected, onError }: UpkeepOptions): Upkeep {
  const abort = new AbortController();
  let round: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    try {
      onCollected(await store.collect(abort.signal));
    } catch (error) {
      if (!abort.signal.aborted) onError(error);
    }
  };
  const stop = repeat(() => {
    round ??= run().finally(() => {
      round = undefined;
    });
  });
  return {
    stop: async () => {
      stop();
      abort.abort();
      await round;
    },
  };
}
