import type { Digest } from "../../oci/digest.ts";
import { REMOVAL_LIST_LIMIT, type Remover } from "../store.ts";
import { type Database, text } from "./database.ts";
import { repositoryId } from "./repositories.ts";
import { checkCondition, currentTag } from "./tags.ts";

export function createRemover(database: Database, clock: () => number): Remover {
  return {
    removeTag: async (repository, tag, dryRun) =>
      database.free(() => {
        const id = repositoryId(database, repository);
        const digest = id === undefined ? undefined : currentTag(database, id, tag.name);
        if (id === undefined || digest === undefined) return undefined;
        checkCondition(tag, digest);
        if (!dryRun) database.run("DELETE FROM tag WHERE repository = ? AND name = ?", id, tag.name);
        return { digest, tags: [], namedBy: [] };
      }),
    remove: async (repository, digest, kind, dryRun) =>
      database.free(() => {
        const id = repositoryId(database, repository);
        if (
          id === undefined ||
          database.get("SELECT 1 FROM content WHERE repository = ? AND kind = ? AND digest = ?", id, kind, digest) ===
            undefined
        )
          return undefined;
        const tags = kind === "manifest" ? tagsOf(id, digest) : [];
        const namedBy = database
          .all("SELECT manifest FROM child WHERE repository = ? AND digest = ? LIMIT ?", id, digest, REMOVAL_LIST_LIMIT)
          .map((row) => text(row, "manifest") as Digest);
        if (!dryRun) {
          if (kind === "manifest") unlinkManifest(id, digest);
          database.run("DELETE FROM content WHERE repository = ? AND kind = ? AND digest = ?", id, kind, digest);
        }
        return { digest, tags, namedBy };
      }),
  };

  function tagsOf(repository: number, digest: Digest): readonly string[] {
    return database
      .all(
        "SELECT name FROM tag WHERE repository = ? AND digest = ? ORDER BY name LIMIT ?",
        repository,
        digest,
        REMOVAL_LIST_LIMIT,
      )
      .map((row) => text(row, "name"));
  }

  /** Takes away a manifest's tags and edges; the grace of the blobs it named starts now. */
  function unlinkManifest(repository: number, digest: Digest): void {
    database.run("DELETE FROM tag WHERE repository = ? AND digest = ?", repository, digest);
    database.run(
      `UPDATE content SET unreferenced_since = ?
        WHERE repository = ? AND kind = 'blob'
          AND digest IN (SELECT digest FROM child WHERE repository = ? AND manifest = ?)`,
      clock(),
      repository,
      repository,
      digest,
    );
    database.run("DELETE FROM child WHERE repository = ? AND manifest = ?", repository, digest);
  }
}
