import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore } from "../../src/store/disk/index.ts";
import { createLayout } from "../../src/store/disk/layout.ts";
import type { Store } from "../../src/store/store.ts";
import { bytesOf } from "../support/bytes.ts";
import {
  blobOf,
  type Content,
  incoming,
  indexOf,
  ME,
  push,
  pushSome,
  readAll,
  reasonOf,
} from "../suite/store-actions.ts";
import { createFullDisk, type FullDisk } from "./full-disk.ts";
import { makeScratch } from "./scratch.ts";

/** More calls than any of these makes. */
const MANY_CALLS = 40;

/** A call in a repository of its own that needs space. */
interface Case {
  readonly name: string;
  readonly prepare: (store: Store, repository: string, content: Content) => Promise<unknown>;
  readonly run: (store: Store, repository: string, content: Content) => Promise<unknown>;
  /** Keeping what came is no promise: it may be given up without a word. */
  readonly otherwise?: "STORAGE_FULL";
  /** What is pushed, different each time. */
  readonly content: (salt: string) => Content;
}

const cases: readonly Case[] = [
  {
    name: "push of a blob",
    prepare: async () => undefined,
    run: (store, repository, content) => push(store, repository, content),
    content: (salt) => blobOf(`blob ${salt}`),
  },
  {
    name: "push of a tagged manifest",
    prepare: async () => undefined,
    run: (store, repository, content) => push(store, repository, content, { name: "t" }),
    content: (salt) => indexOf({ name: salt }),
  },
  {
    name: "push in several writes",
    prepare: async () => undefined,
    run: async (store, repository, content) => {
      const upload = await store.upload(incoming(repository, content), 0);
      try {
        for (let at = 0; at < content.bytes.byteLength; at += 1000)
          await upload.write(content.bytes.subarray(at, at + 1000));
      } catch (error) {
        await upload.discard();
        throw error;
      }
      await upload.commit(content.identity);
    },
    content: (salt) => blobOf(Buffer.concat([Buffer.from(salt), bytesOf(3000, 60)])),
  },
  {
    name: "upload that goes on",
    prepare: (store, repository, content) => pushSome(store, repository, content, 4),
    run: async (store, repository, content) => {
      const upload = await store.upload(incoming(repository, content), 4);
      await upload.write(content.bytes.subarray(4));
      await upload.commit(content.identity);
    },
    content: (salt) => blobOf(`goes on ${salt}`),
  },
  {
    name: "upload that is kept for later",
    prepare: async () => undefined,
    run: (store, repository, content) => pushSome(store, repository, content, 4),
    otherwise: "STORAGE_FULL",
    content: (salt) => blobOf(`kept ${salt}`),
  },
];

describe.each(["one call", "all from one call on"] as const)("no space left for %s", (lasting) => {
  let scratch: Awaited<ReturnType<typeof makeScratch>>;
  let disk: FullDisk;
  let store: Store;
  const witness = blobOf(bytesOf(100_000, 61));
  beforeAll(async () => {
    scratch = await makeScratch();
    disk = createFullDisk();
    store = await openStore(join(scratch.path, "store"), { fileSystem: disk.fileSystem });
    await push(store, "witness", witness);
  });
  afterAll(async () => {
    await store.close();
    await scratch.remove();
  });

  it.each(cases)("$name: refused as STORAGE_FULL, nothing stored, reads go on, and works again", async (each) => {
    const { ingest } = createLayout(join(scratch.path, "store"));
    let refused = 0;
    for (let call = 1; call <= MANY_CALLS; call += 1) {
      const repository = `${each.name}/${call}`.replaceAll(" ", "-");
      const content = each.content(`${lasting} ${call}`);
      await each.prepare(store, repository, content);
      const before = await store.usage();
      disk.fill(call, lasting);
      const reason = await reasonOf(each.run(store, repository, content));
      const failed = disk.failures;
      expect((await readAll(store, "witness", witness.digest)).equals(witness.bytes)).toBe(true);
      disk.free();
      if (failed === 0) {
        expect(reason).toBe("done");
        break;
      }
      refused += 1;
      expect(reason === "done" ? each.otherwise : reason, `call ${call}`).toBe("STORAGE_FULL");
      expect(await store.find(repository, content.digest)).toBeUndefined();
      expect(await store.findTag(repository, "t")).toBeUndefined();
      // An interrupted upload may have been given up, and nothing else has changed.
      const { uploads, uploadBytes, ...rest } = await store.usage();
      expect({ ...before, ...rest }).toEqual(before);
      expect(uploads).toBeLessThanOrEqual(before.uploads);
      expect(uploadBytes).toBeLessThanOrEqual(before.uploadBytes);
      expect(await readdir(ingest)).toHaveLength(uploads);
      // Space is back.
      expect([0, 4]).toContain(await store.resumable(incoming(repository, content, ME)));
      await push(store, repository, content);
      expect(Buffer.from(content.bytes).equals(await readAll(store, repository, content.digest))).toBe(true);
    }
    // It was the disk that was full, each time at another call.
    expect(refused).toBeGreaterThan(1);
    expect(refused).toBeLessThan(MANY_CALLS);
  });

  it("does not open where there is no space, and opens when there is", async () => {
    for (let call = 1; call < MANY_CALLS; call += 1) {
      const path = join(scratch.path, `opened-${call}`);
      const full = createFullDisk();
      full.fill(call, lasting);
      const opened = await openStore(path, { fileSystem: full.fileSystem }).catch((error: unknown) => error);
      if (full.failures === 0) {
        expect(call).toBeGreaterThan(1);
        await (await openStore(path)).close();
        return;
      }
      expect(opened).toMatchObject({ reason: "STORAGE_FULL" });
      const again = await openStore(path);
      await again.recover();
      await push(again, "again", witness);
      expect(await readdir(createLayout(path).ingest)).toEqual([]);
      await again.close();
    }
    expect.unreachable("opening never ended");
  });
});
