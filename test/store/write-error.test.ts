import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { type FileSystem, nodeFileSystem } from "../../src/store/disk/file-system.ts";
import { openStore } from "../../src/store/disk/index.ts";
import { blobOf, push } from "../suite/store-actions.ts";
import { makeScratch } from "./scratch.ts";

/** So much that the disk is told to start before the end (upload.ts). */
const LARGE_BYTES = 33 * 1024 * 1024;

it("does not overlook a write error that the disk tells only once, while bytes still come", async () => {
  const scratch = await makeScratch();
  onTestFinished(scratch.remove);
  // The store is opened first.
  let syncs = 1;
  // Linux reports a failed write-back to the next fsync of the file, and no more to the one after (fsync(2), "EIO").
  const fileSystem: FileSystem = {
    ...nodeFileSystem,
    create: async (path) => {
      const file = await nodeFileSystem.create(path);
      return {
        write: (bytes) => file.write(bytes),
        sync: async () => {
          syncs += 1;
          const isFirst = syncs === 1;
          await file.sync();
          if (isFirst) throw Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
        },
        close: () => file.close(),
      };
    },
  };
  const store = await openStore(join(scratch.path, "store"), { fileSystem });
  syncs = 0;
  const blob = blobOf(new Uint8Array(LARGE_BYTES));
  await expect(push(store, "large", blob)).rejects.toThrow("EIO");
  expect(await store.find("large", blob.digest)).toBeUndefined();
  await push(store, "large", blob);
  expect(await store.find("large", blob.digest)).toMatchObject({ size: LARGE_BYTES });
  await store.close();
});
