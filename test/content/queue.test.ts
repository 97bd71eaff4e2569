import { expect, test } from "vitest";
import { createKeyedQueue } from "../../src/content/queue.ts";

const never = new AbortController().signal;

/** Work that ends when told, and tells that it began. */
function work() {
  const began = Promise.withResolvers<void>();
  const end = Promise.withResolvers<string>();
  const run = async (): Promise<string> => {
    began.resolve();
    return await end.promise;
  };
  return { run, began: began.promise, end: end.resolve, fail: end.reject };
}

test("one at a time works on a key, in order of arrival; other keys do not wait", async () => {
  const queue = createKeyedQueue();
  const order: string[] = [];
  const first = work();
  const one = queue.run("a", never, first.run).then(() => order.push("one"));
  const others = ["two", "three"].map((name) =>
    queue.run("a", never, async () => {
      order.push(name);
    }),
  );
  await first.began;
  await queue.run("b", never, async () => void order.push("b"));
  expect(order).toEqual(["b"]);
  first.end("done");
  await Promise.all([one, ...others]);
  expect(order.filter((name) => name !== "one")).toEqual(["b", "two", "three"]);
});

test("work that fails is its caller's trouble alone", async () => {
  const queue = createKeyedQueue();
  const first = work();
  const failed = expect(queue.run("a", never, first.run)).rejects.toThrow("broken");
  const second = queue.run("a", never, async () => "second");
  first.fail(new Error("broken"));
  await failed;
  expect(await second).toBe("second");
});

test("who gives up while waiting is gone at once, and those behind keep their order", async () => {
  const queue = createKeyedQueue();
  const first = work();
  const one = queue.run("a", never, first.run);
  await first.began;
  const abort = new AbortController();
  let ran = false;
  const waiting = queue.run("a", abort.signal, async () => {
    ran = true;
  });
  const third = work();
  const last = queue.run("a", never, third.run);
  let thirdBegan = false;
  void third.began.then(() => (thirdBegan = true));
  abort.abort(new Error("gone"));
  await expect(waiting).rejects.toThrow("gone");
  // It must not have let the next one in while the first still works.
  await new Promise((resolve) => setImmediate(resolve));
  expect({ ran, thirdBegan }).toEqual({ ran: false, thirdBegan: false });
  first.end("one");
  expect(await one).toBe("one");
  third.end("three");
  expect(await last).toBe("three");
});

test("who has given up before does nothing", async () => {
  const queue = createKeyedQueue();
  await expect(queue.run("a", AbortSignal.abort(new Error("gone")), async () => "ran")).rejects.toThrow("gone");
  expect(await queue.run("a", never, async () => "next")).toBe("next");
});
