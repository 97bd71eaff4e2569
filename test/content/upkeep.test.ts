import { expect, test } from "vitest";
import { startUpkeep } from "../../src/content/upkeep.ts";
import type { Collected, Store } from "../../src/store/store.ts";
import { createMemoryStore } from "../support/memory-store.ts";

/** A store whose rounds of collection end when told. */
function scene() {
  const rounds: { readonly signal: AbortSignal | undefined; end(outcome: Collected | Error): void }[] = [];
  const store: Store = {
    ...createMemoryStore(() => 0),
    collect: async (signal) => {
      const round = Promise.withResolvers<Collected>();
      rounds.push({
        signal,
        end: (outcome) => (outcome instanceof Error ? round.reject(outcome) : round.resolve(outcome)),
      });
      return await round.promise;
    },
  };
  let tick = (): void => undefined;
  let stopped = false;
  const collected: Collected[] = [];
  const errors: unknown[] = [];
  const upkeep = startUpkeep(store, {
    repeat: (work) => {
      tick = work;
      return () => (stopped = true);
    },
    onCollected: (round) => collected.push(round),
    onError: (error) => errors.push(error),
  });
  return { rounds, collected, errors, upkeep, tick: () => tick(), stopped: () => stopped };
}

const nothing: Collected = { blobs: 0, bytes: 0, uploads: 0 };
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("one round at a time; one that fails is told and does not end the work", async () => {
  const { rounds, collected, errors, tick } = scene();
  tick();
  tick();
  expect(rounds).toHaveLength(1);
  rounds[0]?.end(new Error("disk"));
  await settled();
  expect(errors).toMatchObject([{ message: "disk" }]);
  tick();
  rounds[1]?.end({ ...nothing, blobs: 2 });
  await settled();
  expect(collected).toEqual([{ ...nothing, blobs: 2 }]);
});

test("stopping ends the running round and waits for it; its abort is no error", async () => {
  const { rounds, errors, upkeep, tick, stopped } = scene();
  tick();
  let done = false;
  const stopping = upkeep.stop().then(() => (done = true));
  expect(stopped()).toBe(true);
  expect(rounds[0]?.signal?.aborted).toBe(true);
  await settled();
  expect(done).toBe(false);
  rounds[0]?.end(new Error("aborted"));
  await stopping;
  expect(errors).toEqual([]);
});
