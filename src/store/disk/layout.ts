import { join } from "node:path";
import { type Algorithm, algorithmOf, type Digest, encodedOf } from "../../oci/digest.ts";

/** Where things lie in a data directory; its `blobs` are those of an OCI image layout (image-spec, image-layout.md). */
export interface Layout {
  readonly root: string;
  readonly database: string;
  /** Partial writes, one file an upload. */
  readonly ingest: string;
  /** One file a living process, and one for the leader: see lock.ts. */
  readonly locks: string;
  /** Bytes that a check found bad, kept for a person to look at. */
  readonly quarantine: string;
  /** Space set aside, see reserve.ts. */
  readonly reserve: string;
  /** The marker file of an OCI image layout. */
  readonly marker: string;
  blobs(algorithm: Algorithm): string;
  blob(digest: Digest): string;
  upload(id: string): string;
  lock(name: string): string;
  quarantined(digest: Digest): string;
}

export const algorithms: readonly Algorithm[] = ["sha256", "sha512"];

export function createLayout(root: string): Layout {
  const blobs = (algorithm: Algorithm): string => join(root, "blobs", algorithm);
  const ingest = join(root, "ingest");
  const locks = join(root, "locks");
  const quarantine = join(root, "quarantine");
  return {
    root,
    database: join(root, "descry.db"),
    ingest,
    locks,
    quarantine,
    reserve: join(root, "reserve"),
    marker: join(root, "oci-layout"),
    blobs,
    blob: (digest) => join(blobs(algorithmOf(digest)), encodedOf(digest)),
    upload: (id) => join(ingest, id),
    lock: (name) => join(locks, name),
    quarantined: (digest) => join(quarantine, `${algorithmOf(digest)}-${encodedOf(digest)}`),
  };
}
