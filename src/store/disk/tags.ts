import type { Digest } from "../../oci/digest.ts";
import { DescryError } from "../../oci/errors.ts";
import type { TagChange, Tagger, TagWrite } from "../store.ts";
import { type Database, text } from "./database.ts";
import { repositoryId } from "./repositories.ts";

/** GLOB of tags that stand for a digest; `isDigestTag` of oci/reference.ts in SQL. */
const hexDigits: string = "[0-9a-f]".repeat(64);
const digestTagGlobs: readonly string[] = [`sha256-${hexDigits}*`, `sha512-${hexDigits}*`];

export function createTagger(database: Database): Tagger {
  return {
    setTag: async (repository, tag, digest) =>
      database.write(() => {
        const id = repositoryId(database, repository);
        const known =
          id !== undefined &&
          database.get(
            "SELECT 1 FROM content WHERE repository = ? AND kind = 'manifest' AND digest = ?",
            id,
            digest,
          ) !== undefined;
        if (!known)
          throw new DescryError("CONTENT_UNKNOWN", `the repository has no manifest ${digest}; push it first`, {
            digest,
          });
        return writeTag(database, id, tag, digest);
      }),
    listTags: async (repository, { after, limit, prefix, omitDigestTags }) => {
      const omit = omitDigestTags ? "AND NOT (t.name GLOB ? OR t.name GLOB ?)" : "";
      // Tags are ASCII and sorted by bytes, so those with a prefix lie between it and its end.
      const rows = database.all(
        `SELECT t.name, t.digest FROM tag t JOIN repository r ON r.id = t.repository
          WHERE r.name = ? AND t.name > ? AND t.name >= ? AND t.name < ? ${omit}
          ORDER BY t.name LIMIT ?`,
        repository,
        after,
        prefix,
        `${prefix}\u{7f}`,
        ...(omitDigestTags ? digestTagGlobs : []),
        limit,
      );
      return rows.map((row) => ({ name: text(row, "name"), digest: text(row, "digest") as Digest }));
    },
  };
}

/** What a tag points to now. */
export function currentTag(database: Database, repository: number, name: string): Digest | undefined {
  const row = database.get("SELECT digest FROM tag WHERE repository = ? AND name = ?", repository, name);
  return row === undefined ? undefined : (text(row, "digest") as Digest);
}

/** Points a tag at a manifest that is there, if its condition holds. Within a write. */
export function writeTag(database: Database, repository: number, tag: TagWrite, digest: Digest): TagChange {
  const previous = currentTag(database, repository, tag.name);
  if (previous === digest) return { previous };
  checkCondition(tag, previous);
  database.run(
    `INSERT INTO tag (repository, name, digest) VALUES (?, ?, ?)
       ON CONFLICT (repository, name) DO UPDATE SET digest = excluded.digest`,
    repository,
    tag.name,
    digest,
  );
  return previous === undefined ? {} : { previous };
}

/** Throws TAG_CHANGED unless the tag is what its condition wants. */
export function checkCondition(tag: TagWrite, current: Digest | undefined): void {
  const { name, condition } = tag;
  if (condition === undefined) return;
  const wanted = condition === "absent" ? undefined : condition.digest;
  if (wanted === current) return;
  throw new DescryError("TAG_CHANGED", `tag ${name} ${current === undefined ? "does not exist" : `is at ${current}`}`, {
    metadata: { current_digest: current ?? "" },
  });
}
