import { readdir, readFile, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { nodeFileSystem } from "../../src/store/disk/file-system.ts";
import { openStore } from "../../src/store/disk/index.ts";
import { createLayout } from "../../src/store/disk/layout.ts";
import { blobOf, incoming, push, pushSome, refusalOf } from "../suite/store-actions.ts";
import { makeScratch } from "./scratch.ts";

/** What the disk store does with what others left in its directory. */
let scratch: Awaited<ReturnType<typeof makeScratch>>;
beforeEach(async () => void (scratch = await makeScratch()));
afterEach(() => scratch.remove());

it("is an OCI image layout that only its owner reads", async () => {
  const store = await openStore(join(scratch.path, "not", "there", "yet"));
  const blob = blobOf("laid out");
  await push(store, "layout", blob);
  await store.close();
  const layout = createLayout(join(scratch.path, "not", "there", "yet"));
  // image-spec, image-layout.md, "oci-layout file".
  expect(JSON.parse(await readFile(layout.marker, "utf8"))).toEqual({ imageLayoutVersion: "1.0.0" });
  expect(await readFile(layout.blob(blob.digest), "utf8")).toBe("laid out");
  expect((await stat(layout.blob(blob.digest))).mode & 0o777).toBe(0o600);
  expect((await stat(join(scratch.path, "not"))).mode & 0o777).toBe(0o700);
});

it("clears uploads that were open when their store was closed", async () => {
  const closed = await openStore(scratch.path);
  const upload = await closed.upload(incoming("left", blobOf("left open")), 0);
  await upload.write(new Uint8Array([1]));
  await closed.close();
  const store = await openStore(scratch.path);
  await store.recover();
  expect(await readdir(createLayout(scratch.path).ingest)).toEqual([]);
  expect((await store.usage()).uploads).toBe(0);
  await store.close();
});

it("starts over where a kept upload's file is gone", async () => {
  const store = await openStore(scratch.path);
  const blob = blobOf("parked and lost");
  await pushSome(store, "left", blob, 5);
  const { ingest } = createLayout(scratch.path);
  for (const name of await readdir(ingest)) await unlink(join(ingest, name));
  expect(await refusalOf(store.upload(incoming("left", blob), 5))).toMatchObject({
    reason: "OFFSET_MISMATCH",
    metadata: { offset: "0" },
  });
  await push(store, "left", blob);
  await store.close();
});

it("opens although a faster process's recovery takes its draft of the marker", async () => {
  let store = await openStore(scratch.path);
  await store.recover();
  await store.close();
  const { marker } = createLayout(scratch.path);
  // The second process looks for the marker before the first has written it.
  let looked = false;
  const fileSystem = {
    ...nodeFileSystem,
    size: async (path: string) => {
      const first = path === marker && !looked;
      looked ||= first;
      return first ? undefined : await nodeFileSystem.size(path);
    },
    rename: async (from: string, to: string) => {
      if (to === marker) await unlink(from);
      await nodeFileSystem.rename(from, to);
    },
  };
  store = await openStore(scratch.path, { fileSystem });
  expect(looked).toBe(true);
  await store.close();
});

it("opens an empty directory for many at once", async () => {
  const stores = await Promise.all(Array.from({ length: 8 }, () => openStore(scratch.path)));
  await Promise.all(stores.map((store) => store.recover()));
  await Promise.all(stores.map((store, i) => push(store, "many", blobOf(`blob ${i}`))));
  expect((await stores[0]?.usage())?.blobs).toBe(8);
  await Promise.all(stores.map((store) => store.close()));
});

it("leaves no file of its own when it is closed", async () => {
  const store = await openStore(scratch.path);
  await push(store, "closed", blobOf("closed"));
  await store.close();
  const { ingest, locks } = createLayout(scratch.path);
  expect(await readdir(ingest)).toEqual([]);
  expect(await readdir(locks)).toEqual([]);
});

it("refuses a database of a later descry", async () => {
  const store = await openStore(scratch.path);
  await store.close();
  const database = new DatabaseSync(createLayout(scratch.path).database);
  database.exec("PRAGMA user_version = 1000");
  database.close();
  await expect(openStore(scratch.path)).rejects.toThrow("schema version 1000");
});
