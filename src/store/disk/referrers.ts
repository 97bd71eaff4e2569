import type { Digest } from "../../oci/digest.ts";
import type { Referrers } from "../store.ts";
import { type Database, integer, text } from "./database.ts";

export function createReferrers(database: Database): Referrers {
  return {
    listReferrers: async (repository, subject, { after, limit, artifactTypes }) => {
      const filter =
        artifactTypes.length === 0 ? "" : `AND c.artifact_type IN (${artifactTypes.map(() => "?").join(", ")})`;
      const rows = database.all(
        `SELECT c.digest, b.size, c.media_type, c.artifact_type, c.annotations
           FROM repository r
           JOIN content c ON c.repository = r.id
           JOIN bytes b ON b.digest = c.digest
          WHERE r.name = ? AND c.subject = ? AND c.digest > ? ${filter}
          ORDER BY c.digest LIMIT ?`,
        repository,
        subject,
        after,
        ...artifactTypes,
        limit,
      );
      return rows.map((row) => ({
        digest: text(row, "digest") as Digest,
        size: integer(row, "size"),
        mediaType: text(row, "media_type"),
        ...(row["artifact_type"] === null ? {} : { artifactType: text(row, "artifact_type") }),
        ...(row["annotations"] === null
          ? {}
          : { annotations: JSON.parse(text(row, "annotations")) as Readonly<Record<string, string>> }),
      }));
    },
  };
}
