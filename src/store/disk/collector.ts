import { setImmediate as nextTurn } from "node:timers/promises";
import type { Digest } from "../../oci/digest.ts";
import { type Collected, UNREFERENCED_GRACE_MS, UPLOAD_GRACE_MS } from "../store.ts";
import { integer, text } from "./database.ts";
import { removeOrphan } from "./orphans.ts";
import { fillReserve } from "./reserve.ts";
import type { Shelf } from "./shelf.ts";
import { forgetEnded, forgetUpload } from "./upload.ts";

/** Rows handled in one transaction: a few milliseconds of everybody else's waiting. */
const BATCH = 200;

/**
 * Blobs that no manifest of their repository names, that are held by no lease, and whose grace is over. Binds: time
 * before which the grace began, now.
 */
const unneeded = `c.kind = 'blob' AND c.unreferenced_since <= ?
  AND NOT EXISTS (SELECT 1 FROM child WHERE repository = c.repository AND digest = c.digest)
  AND NOT EXISTS (SELECT 1 FROM lease WHERE repository = c.repository AND digest = c.digest AND expires_at > ?)`;

/** Frees what nobody needs. Every step asks and acts in one transaction, so it is safe beside everything. */
export async function collect(shelf: Shelf, signal?: AbortSignal): Promise<Collected> {
  const { database, clock } = shelf;
  const now = clock();
  await forgetEnded(shelf);
  const uploads = await collectUploads(shelf, now);
  database.free(() => database.run("DELETE FROM lease WHERE expires_at <= ?", now));
  await batches(() => unlinkBlobs(shelf, now), signal);

  let blobs = 0;
  let bytes = 0;
  await batches(() => {
    const rows = database.all(
      `SELECT digest, size FROM bytes b
        WHERE NOT EXISTS (SELECT 1 FROM content WHERE digest = b.digest)
          AND NOT EXISTS (SELECT 1 FROM upload WHERE digest = b.digest AND process IS NOT NULL) LIMIT ?`,
      BATCH,
    );
    let removed = 0;
    for (const row of rows) {
      if (!removeOrphan(shelf, text(row, "digest") as Digest, "free")) continue;
      removed += 1;
      bytes += integer(row, "size");
    }
    blobs += removed;
    return removed;
  }, signal);
  await fillReserve(shelf);
  return { blobs, bytes, uploads };
}

/** Bytes that `collect` would free now. */
export function reclaimable({ database, clock }: Shelf): number {
  const now = clock();
  const row = database.get(
    `SELECT coalesce(sum(size), 0) AS size FROM bytes b
      WHERE NOT EXISTS (SELECT 1 FROM upload WHERE digest = b.digest AND process IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM content c WHERE c.digest = b.digest AND NOT (${unneeded}))`,
    now - UNREFERENCED_GRACE_MS,
    now,
  );
  return row === undefined ? 0 : integer(row, "size");
}

async function collectUploads(shelf: Shelf, now: number): Promise<number> {
  const { database } = shelf;
  const rows = database.all("SELECT id FROM upload WHERE process IS NULL AND touched_at <= ?", now - UPLOAD_GRACE_MS);
  let count = 0;
  for (const row of rows) {
    const id = text(row, "id");
    // Taken away from whoever might go on with it, before its file goes.
    const mine =
      database.free(() => database.run("UPDATE upload SET process = '' WHERE id = ? AND process IS NULL", id)) === 1;
    if (!mine) continue;
    await forgetUpload(shelf, id, "free");
    count += 1;
  }
  return count;
}

/** Takes a batch of unneeded blobs out of their repositories; the number of them. */
function unlinkBlobs({ database }: Shelf, now: number): number {
  return database.free(() => {
    const rows = database.all(
      `SELECT c.repository, c.digest FROM content c WHERE ${unneeded} LIMIT ?`,
      now - UNREFERENCED_GRACE_MS,
      now,
      BATCH,
    );
    for (const row of rows)
      database.run(
        "DELETE FROM content WHERE repository = ? AND kind = 'blob' AND digest = ?",
        integer(row, "repository"),
        text(row, "digest"),
      );
    return rows.length;
  });
}

/** Repeats a batch until it finds nothing to do, letting others work in between. */
async function batches(batch: () => number, signal: AbortSignal | undefined): Promise<void> {
  do {
    signal?.throwIfAborted();
    await nextTurn();
  } while (batch() > 0);
}
