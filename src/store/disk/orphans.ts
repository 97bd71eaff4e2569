import type { Digest } from "../../oci/digest.ts";
import type { Shelf } from "./shelf.ts";

/**
 * Removes bytes that no repository has, unless an upload may be about to commit them. The file goes within the write
 * transaction: a commit cannot come between the question and the answer. True if they were removed.
 */
export function removeOrphan(
  { database, files, layout }: Shelf,
  digest: Digest,
  how: "write" | "free" = "write",
): boolean {
  return database[how](() => {
    const needed =
      database.get("SELECT 1 FROM content WHERE digest = ?", digest) !== undefined ||
      database.get("SELECT 1 FROM upload WHERE digest = ? AND process IS NOT NULL", digest) !== undefined;
    if (needed) return false;
    files.removeSync(layout.blob(digest));
    database.run("DELETE FROM bytes WHERE digest = ?", digest);
    return true;
  });
}
