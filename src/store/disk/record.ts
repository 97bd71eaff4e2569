import type { Digest } from "../../oci/digest.ts";
import { DescryError } from "../../oci/errors.ts";
import { requiredChildren } from "../../oci/manifest.ts";
import type { Identity } from "../store.ts";
import type { Database } from "./database.ts";

/** Makes bytes part of a repository. Within a write. */
export function recordContent(
  database: Database,
  repository: number,
  digest: Digest,
  identity: Identity,
  now: number,
): void {
  const manifest = identity.kind === "manifest" ? identity.manifest : undefined;
  const mediaType = identity.kind === "manifest" ? identity.manifest.mediaType : identity.mediaType;
  database.run(
    `INSERT INTO content
       (repository, kind, digest, media_type, unreferenced_since, artifact_type, subject, annotations)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (repository, kind, digest) DO UPDATE SET
       media_type = excluded.media_type, unreferenced_since = excluded.unreferenced_since,
       artifact_type = excluded.artifact_type, subject = excluded.subject, annotations = excluded.annotations`,
    repository,
    identity.kind,
    digest,
    mediaType,
    now,
    manifest?.artifactType ?? null,
    manifest?.subject?.digest ?? null,
    manifest?.annotations === undefined ? null : JSON.stringify(manifest.annotations),
  );
  for (const child of manifest?.children ?? [])
    database.run(
      "INSERT INTO child (repository, manifest, digest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
      repository,
      digest,
      child.digest,
    );
}

/** Throws CHILD_MISSING unless the repository has what the manifest names. */
export function checkChildren(
  database: Database,
  repository: number | undefined,
  identity: Extract<Identity, { kind: "manifest" }>,
): void {
  const missing = requiredChildren(identity.manifest).filter(
    (digest) =>
      repository === undefined ||
      database.get("SELECT 1 FROM content WHERE repository = ? AND digest = ?", repository, digest) === undefined,
  );
  const [first] = missing;
  if (first === undefined) return;
  throw new DescryError(
    "CHILD_MISSING",
    `the repository misses ${missing.length} of what the manifest names, first ${first}`,
    { digest: first },
  );
}
