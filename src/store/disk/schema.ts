/**
 * The schema as a list of steps; a database at `user_version` n has had the first n. A step is never edited once it
 * has been released: changes are new steps. Times are milliseconds since 1970.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE repository (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
  ) STRICT;

  -- Verified bytes, each digest once. A row exists only while the bytes lie in blobs/ (or, corrupt, did).
  CREATE TABLE bytes (
    digest TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    corrupt INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;

  -- Which repository has which bytes, and as what.
  CREATE TABLE content (
    repository INTEGER NOT NULL REFERENCES repository,
    kind TEXT NOT NULL CHECK (kind IN ('manifest', 'blob')),
    digest TEXT NOT NULL REFERENCES bytes,
    media_type TEXT NOT NULL,
    -- A blob's grace counts from here: when it came, or when the last manifest that named it went.
    unreferenced_since INTEGER NOT NULL,
    -- Of manifests.
    artifact_type TEXT,
    subject TEXT,
    annotations TEXT,
    PRIMARY KEY (repository, kind, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX content_digest ON content (digest);
  CREATE INDEX content_subject ON content (repository, subject, digest) WHERE subject IS NOT NULL;

  -- What a manifest names.
  CREATE TABLE child (
    repository INTEGER NOT NULL REFERENCES repository,
    manifest TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (repository, manifest, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX child_digest ON child (repository, digest);

  CREATE TABLE tag (
    repository INTEGER NOT NULL REFERENCES repository,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (repository, name)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tag_digest ON tag (repository, digest);

  -- Blobs that are kept until a time, whether a manifest names them or not.
  CREATE TABLE lease (
    repository INTEGER NOT NULL REFERENCES repository,
    digest TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
  ) STRICT, WITHOUT ROWID;

  -- Partial writes in ingest/. Exists from before its file until after it was moved or removed.
  CREATE TABLE upload (
    id TEXT PRIMARY KEY,
    -- The process that writes it; null: parked.
    process TEXT,
    owner TEXT NOT NULL,
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    received INTEGER NOT NULL,
    touched_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX upload_digest ON upload (digest, repository, owner);

  -- Processes that write; alive while they hold the lock of the same name.
  CREATE TABLE process (
    id TEXT PRIMARY KEY
  ) STRICT, WITHOUT ROWID;

  -- The server that does the background work, while it holds the leader's lock.
  CREATE TABLE leader (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    address TEXT NOT NULL
  ) STRICT;
  `,
];
