import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { watchBody } from "../../src/server/response-body.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function* twoChunks(ended: () => void = () => undefined) {
  try {
    yield new Uint8Array(10);
    // What comes next takes its time.
    await new Promise((resolve) => setTimeout(resolve, 60_000));
    yield new Uint8Array(5);
  } finally {
    ended();
  }
}

function watch(body: AsyncIterable<Uint8Array>) {
  const onStall = vi.fn<() => void>();
  let bytes = 0;
  const watched = watchBody(body, { idleMs: 1000, onBytes: (count) => (bytes += count), onStall });
  return { chunks: watched[Symbol.asyncIterator](), onStall, bytes: () => bytes };
}

describe("a response's body", () => {
  test("that its reader does not take is given up", async () => {
    const { chunks, onStall } = watch(twoChunks());
    await chunks.next();
    vi.advanceTimersByTime(999);
    expect(onStall).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(onStall).toHaveBeenCalledOnce();
  });

  test("that comes slowly is not", async () => {
    const { chunks, onStall, bytes } = watch(twoChunks());
    await chunks.next();
    const next = chunks.next();
    await vi.advanceTimersByTimeAsync(60_000);
    await next;
    expect((await chunks.next()).done).toBe(true);
    expect(bytes()).toBe(15);
    vi.advanceTimersByTime(60_000);
    expect(onStall).not.toHaveBeenCalled();
  });

  test.each(["throw", "return"] as const)(
    "that is ended by %s() tells its source, and is not watched any more",
    async (by) => {
      const ended = vi.fn<() => void>();
      const { chunks, onStall } = watch(twoChunks(ended));
      await chunks.next();
      await chunks[by]?.(new Error("write EPIPE")).catch(() => undefined);
      expect(ended).toHaveBeenCalledOnce();
      vi.advanceTimersByTime(60_000);
      expect(onStall).not.toHaveBeenCalled();
    },
  );
});
