/** An AbortController that follows other signals until it is let go. */
export interface Linked {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** Stops following; nothing is left on the other signals. */
  unlink(): void;
}

/** Linked by hand: AbortSignal.any leaks on long-lived signals (nodejs/node #54614). */
export function linkSignals(signals: readonly (AbortSignal | undefined)[]): Linked {
  const controller = new AbortController();
  const followed = signals.filter((signal) => signal !== undefined);
  const follow = (event: Event): void => {
    if (event.target instanceof AbortSignal) controller.abort(event.target.reason);
  };
  for (const signal of followed) {
    if (signal.aborted) controller.abort(signal.reason);
    else signal.addEventListener("abort", follow, { once: true });
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    unlink: () => {
      for (const signal of followed) signal.removeEventListener("abort", follow);
    },
  };
}
