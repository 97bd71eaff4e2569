import fc from "fast-check";
import { expect, it } from "vitest";
import { CHUNK_BYTES } from "../../src/store/store.ts";
import { bytesOf, collect } from "../support/bytes.ts";
import { blobOf, push } from "./store-actions.ts";
import type { Rig } from "./store.ts";

/** Three chunks, the last a short one. */
const SIZE = 2 * CHUNK_BYTES + 1000;

export function readTests(rig: () => Rig): void {
  const content = blobOf(bytesOf(SIZE, 20));
  const open = async (repository: string, offset: number, length: number) => {
    const { store } = rig();
    await push(store, repository, content);
    const stored = await store.find(repository, content.digest);
    if (stored === undefined) throw new Error("not stored");
    return await store.read(stored, { offset, length });
  };

  it.each([
    [0, 0],
    [0, 1],
    [0, SIZE],
    [SIZE - 1, 1],
    [SIZE, 0],
    [CHUNK_BYTES - 1, 2],
    [CHUNK_BYTES, CHUNK_BYTES],
    [1, SIZE - 1],
  ])("reads from %i, %i bytes", async (offset, length) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of await open("ranges", offset, length)) {
      expect(chunk.byteLength).toBeGreaterThan(0);
      expect(chunk.byteLength).toBeLessThanOrEqual(CHUNK_BYTES);
      chunks.push(chunk);
    }
    expect(Buffer.concat(chunks).equals(content.bytes.subarray(offset, offset + length))).toBe(true);
  });

  it("reads any slice", async () => {
    const { store } = rig();
    await push(store, "slices", content);
    const stored = await store.find("slices", content.digest);
    if (stored === undefined) throw new Error("not stored");
    const slices = fc
      .tuple(fc.nat(SIZE), fc.nat(SIZE))
      .map(([a, b]) => ({ offset: Math.min(a, b), length: Math.abs(a - b) }));
    await fc.assert(
      fc.asyncProperty(slices, async (range) => {
        const read = Buffer.from(await collect(await store.read(stored, range)));
        expect(read.equals(content.bytes.subarray(range.offset, range.offset + range.length))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it("gives chunks that are the caller's to keep", async () => {
    const iterator = (await open("keep", 0, SIZE))[Symbol.asyncIterator]();
    const first: unknown = (await iterator.next()).value;
    await iterator.next();
    expect(first).toEqual(Buffer.from(content.bytes.subarray(0, CHUNK_BYTES)));
    await iterator.return?.();
    expect(await iterator.next()).toMatchObject({ done: true });
  });

  it("reads on to the end though the content is removed and collected", async () => {
    const { store } = rig();
    const doomed = blobOf(bytesOf(SIZE, 21));
    await push(store, "doomed", doomed);
    const stored = await store.find("doomed", doomed.digest);
    if (stored === undefined) throw new Error("not stored");
    const bytes = await store.read(stored, { offset: 0, length: SIZE });
    await store.remove("doomed", doomed.digest, "blob", false);
    expect((await store.collect()).blobs).toBeGreaterThan(0);
    expect(Buffer.from(await collect(bytes)).equals(doomed.bytes)).toBe(true);
    expect(await store.find("doomed", doomed.digest)).toBeUndefined();
    await expect(store.read(stored, { offset: 0, length: 1 })).rejects.toMatchObject({ code: "not_found" });
  });

  it("gives the same bytes in memory that is used again", async () => {
    const { store } = rig();
    await push(store, "borrowed", content);
    const stored = await store.find("borrowed", content.digest);
    if (stored === undefined) throw new Error("not stored");
    let at = 0;
    for await (const chunk of await store.read(stored, { offset: 0, length: SIZE }, true)) {
      expect(Buffer.from(chunk).equals(content.bytes.subarray(at, at + chunk.byteLength))).toBe(true);
      at += chunk.byteLength;
    }
    expect(at).toBe(SIZE);
  });

  it("lets many read at once", async () => {
    const read = async () => Buffer.from(await collect(await open("many", 0, SIZE)));
    const all = await Promise.all([read(), read(), read(), read()]);
    for (const bytes of all) expect(bytes.equals(content.bytes)).toBe(true);
  });
}
