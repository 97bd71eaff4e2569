import { isStorageFull } from "./database.ts";
import { errorCode } from "./file-system.ts";
import type { Shelf } from "./shelf.ts";
import { asStorageFull } from "./upload.ts";

/**
 * Space set aside, in bytes, for what frees space: without it the database of a full disk could not even note that
 * something is gone. SQLite's log grows to 1000 pages of 4 KiB before it is used again (wal_autocheckpoint).
 */
const RESERVE_BYTES: number = 4 * 1024 * 1024;

/** Sets space aside unless that is done, or there is none. It is given up by `Database.free`. */
export async function fillReserve({ files, layout }: Shelf): Promise<void> {
  if (((await files.size(layout.reserve)) ?? 0) >= RESERVE_BYTES) return;
  try {
    await files.remove(layout.reserve);
    const file = await asStorageFull(files.create(layout.reserve));
    try {
      await asStorageFull(file.write(new Uint8Array(RESERVE_BYTES)));
    } finally {
      await file.close();
    }
  } catch (error) {
    // Another process was faster.
    if (errorCode(error) === "EEXIST") return;
    // Half a reserve would only be in the way of others.
    await files.remove(layout.reserve);
    if (!isStorageFull(error)) throw error;
  }
}
