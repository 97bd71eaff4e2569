import { readdir, readFile, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type FileSystem, nodeFileSystem } from "../../src/store/disk/file-system.ts";
import { openStore } from "../../src/store/disk/index.ts";
import { createLayout } from "../../src/store/disk/layout.ts";
import { blobOf, incoming, indexOf, push, pushSome, readAll, reasonOf, refusalOf } from "../suite/store-actions.ts";
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

it("sweeps the lock files of dead processes, and no others", async () => {
  const [store, other] = [await openStore(scratch.path), await openStore(scratch.path)];
  const { locks } = createLayout(scratch.path);
  await push(other, "alive", blobOf("alive"));
  const resign = await other.lead("http://127.0.0.1:7070");
  const living = (await readdir(locks)).toSorted();
  expect(living).toHaveLength(2);
  // Of a process that was killed before anybody knew it.
  await writeFile(join(locks, "dead"), "");
  await store.recover();
  expect((await readdir(locks)).toSorted()).toEqual(living);
  await expect(store.lead("http://127.0.0.1:7071")).rejects.toThrow("7070");
  await resign();
  await store.close();
  await other.close();
});

it("takes back only its own when the tag changes under a commit", async () => {
  const other = await openStore(scratch.path);
  const [first, second, fresh] = ["first", "second", "fresh"].map((name) => indexOf({ name }));
  if (first === undefined || second === undefined || fresh === undefined) throw new Error("no manifests");
  await push(other, "mine", first, { name: "t" });
  await push(other, "theirs", second);
  const fileSystem: FileSystem = {
    ...nodeFileSystem,
    rename: async (from, to) => {
      await nodeFileSystem.rename(from, to);
      await other.removeTag("mine", { name: "t" }, false);
    },
  };
  const store = await openStore(scratch.path, { fileSystem });
  for (const content of [second, fresh]) {
    await other.setTag("mine", { name: "t" }, first.digest);
    const tag = { name: "t", condition: { digest: first.digest } };
    expect(await reasonOf(push(store, "mine", content, tag))).toBe("TAG_CHANGED");
    expect(await store.find("mine", content.digest)).toBeUndefined();
  }
  expect(await readAll(store, "theirs", second.digest)).toEqual(Buffer.from(second.bytes));
  const files = await readdir(createLayout(scratch.path).blobs("sha256"));
  expect(files).toHaveLength(2);
  await store.close();
  await other.close();
});
