import { algorithms } from "./layout.ts";
import type { Digest } from "../../oci/digest.ts";
import { isDigest } from "../../oci/digest.ts";
import { text } from "./database.ts";
import { removeOrphan } from "./orphans.ts";
import type { Processes } from "./processes.ts";
import type { Shelf } from "./shelf.ts";
import { forgetEnded, forgetUpload } from "./upload.ts";

/**
 * Clears what processes that died left: their uploads, then files that no row knows. Files are listed before rows are
 * asked for: a row comes before its file, so a file without one is nobody's.
 */
export async function recover(shelf: Shelf, processes: Processes): Promise<void> {
  const { database, files, layout } = shelf;
  for (const id of await processes.dead()) await processes.forget(id);
  await processes.sweep();
  await forgetEnded(shelf);
  // Also of processes that closed the store under their uploads, and those that a collector took before it died.
  const left = "SELECT id FROM upload WHERE process IS NOT NULL AND process NOT IN (SELECT id FROM process)";
  for (const row of database.all(left)) await forgetUpload(shelf, text(row, "id"), "free");

  for (const name of await files.list(layout.ingest))
    if (database.get("SELECT 1 FROM upload WHERE id = ?", name) === undefined) await files.remove(layout.upload(name));

  for (const algorithm of algorithms)
    for (const name of await files.list(layout.blobs(algorithm))) {
      const digest: Digest = `${algorithm}:${name}`;
      if (isDigest(digest) && database.get("SELECT 1 FROM bytes WHERE digest = ?", digest) === undefined)
        removeOrphan(shelf, digest, "free");
    }
}
