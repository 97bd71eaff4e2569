import type { Digest } from "../../oci/digest.ts";
import { DescryError } from "../../oci/errors.ts";
import { Verifier } from "../../oci/verifier.ts";
import { CHUNK_BYTES, type Checked, type Fault } from "../store.ts";
import { integer, text } from "./database.ts";
import { isAbsent } from "./file-system.ts";
import type { Shelf } from "./shelf.ts";

type Problem = Fault["problem"];

/** Re-hashes all content, in the order of the digests. */
export async function check(shelf: Shelf, signal?: AbortSignal): Promise<Checked> {
  const { database } = shelf;
  const faults: Fault[] = [];
  let blobs = 0;
  let bytes = 0;
  let after = "";
  for (;;) {
    signal?.throwIfAborted();
    const row = database.get(
      "SELECT digest, size, stored_at, corrupt FROM bytes WHERE digest > ? ORDER BY digest",
      after,
    );
    if (row === undefined) return { blobs, bytes, faults };
    after = text(row, "digest");
    const digest = after as Digest;
    const size = integer(row, "size");
    blobs += 1;
    bytes += size;
    const problem = integer(row, "corrupt") !== 0 ? "quarantined" : await inspect(shelf, digest, size, signal);
    if (problem === undefined) continue;
    if (problem === "quarantined" || (await quarantine(shelf, digest, integer(row, "stored_at"), problem)))
      faults.push({ digest, problem, repositories: repositoriesOf(shelf, digest) });
  }
}

async function inspect(
  { files, layout }: Shelf,
  digest: Digest,
  size: number,
  signal: AbortSignal | undefined,
): Promise<Problem | undefined> {
  const verifier = new Verifier({ digest, size }, "data_loss");
  try {
    const file = await files.open(layout.blob(digest));
    try {
      const chunk = new Uint8Array(CHUNK_BYTES);
      for (;;) {
        signal?.throwIfAborted();
        const count = await file.read(chunk, verifier.received);
        if (count === 0) break;
        verifier.update(chunk.subarray(0, count));
      }
    } finally {
      await file.close();
    }
    verifier.finish();
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    if (isAbsent(error)) return "missing";
    if (!(error instanceof DescryError)) return "unreadable";
    return error.reason === "SIZE_MISMATCH" ? "size" : "digest";
  }
}

/**
 * Takes bad bytes out of service, unless they were removed or replaced since they were looked at. The file goes within
 * the write transaction, for the reason of orphans.ts; not if an upload may have put good bytes there already, whose
 * commit says so.
 */
async function quarantine(shelf: Shelf, digest: Digest, storedAt: number, problem: Problem): Promise<boolean> {
  const { database, files, layout } = shelf;
  await files.makeDirectory(layout.quarantine);
  return database.write(() => {
    const marked = database.run("UPDATE bytes SET corrupt = 1 WHERE digest = ? AND stored_at = ?", digest, storedAt);
    if (marked === 0) return false;
    const uploading = "SELECT 1 FROM upload WHERE digest = ? AND process IS NOT NULL";
    if (problem !== "missing" && database.get(uploading, digest) === undefined)
      files.renameSync(layout.blob(digest), layout.quarantined(digest));
    return true;
  });
}

function repositoriesOf({ database }: Shelf, digest: Digest): readonly string[] {
  return database
    .all(
      `SELECT DISTINCT r.name FROM content c JOIN repository r ON r.id = c.repository
        WHERE c.digest = ? ORDER BY r.name`,
      digest,
    )
    .map((row) => text(row, "name"));
}
