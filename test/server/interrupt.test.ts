import { describe, expect, test } from "vitest";
import { Interrupt, unlessAborted, untilAborted } from "../../src/server/interrupt.ts";

const never = new Promise<never>(() => undefined);

test("a wait is interrupted, and so are those after it, by the first reason", async () => {
  const stop = new Interrupt();
  const waiting = stop.wait(never);
  stop.interrupt("first");
  stop.interrupt("second");
  await expect(waiting).rejects.toBe("first");
  await expect(stop.wait(Promise.resolve(1))).rejects.toBe("first");
});

test("a promise is waited for no longer than its signal lives", async () => {
  const stop = new AbortController();
  expect(await unlessAborted(Promise.resolve(1), stop.signal)).toBe(1);
  const waiting = unlessAborted(never, stop.signal);
  stop.abort("reason");
  await expect(waiting).rejects.toBe("reason");
  await expect(unlessAborted(never, stop.signal)).rejects.toBe("reason");
});

describe("a stream", () => {
  async function* counted(ended: () => void) {
    try {
      for (let count = 1; ; count++) yield count;
    } finally {
      ended();
    }
  }

  test("that is stuck ends with its signal", async () => {
    const stop = new AbortController();
    const stuck = { [Symbol.asyncIterator]: () => ({ next: () => never }) };
    const next = untilAborted(stuck, stop.signal).next();
    stop.abort("reason");
    await expect(next).rejects.toBe("reason");
  });

  test("that is left is left all the way down", async () => {
    let ended = false;
    for await (const count of untilAborted(
      counted(() => (ended = true)),
      new AbortController().signal,
    ))
      if (count === 3) break;
    expect(ended).toBe(true);
  });

  test("that ends or fails does so as it would", async () => {
    const { signal } = new AbortController();
    const seen: number[] = [];
    const failing = async function* () {
      yield 1;
      throw new Error("own");
    };
    const reading = (async () => {
      for await (const item of untilAborted(failing(), signal)) seen.push(item);
    })();
    await expect(reading).rejects.toThrow("own");
    expect(seen).toEqual([1]);
  });
});
