import { randomUUID } from "node:crypto";
import type { Store, Usage } from "../store.ts";
import { check } from "./checker.ts";
import { collect, reclaimable } from "./collector.ts";
import { createContentReader } from "./content.ts";
import { integer, openDatabase } from "./database.ts";
import { type FileSystem, nodeFileSystem } from "./file-system.ts";
import { algorithms, createLayout, type Layout } from "./layout.ts";
import { createProcesses } from "./processes.ts";
import { recover } from "./recovery.ts";
import { createReferrers } from "./referrers.ts";
import { createRemover } from "./removal.ts";
import type { Shelf } from "./shelf.ts";
import { createTagger } from "./tags.ts";
import { asStorageFull } from "./upload.ts";
import { createUploader } from "./uploader.ts";

export interface DiskStoreOptions {
  /** Default: the real one. */
  readonly fileSystem?: FileSystem;
  /** Milliseconds since 1970. Default: Date.now. */
  readonly clock?: () => number;
  /** Names of uploads and processes: unguessable, never twice. Default: random UUIDs. */
  readonly newId?: () => string;
  /** Called after each commit of the database. */
  readonly onCommit?: () => void;
}

/** The store in a directory of this machine, which several processes may share. Makes what is not there yet. */
export async function openStore(dataDir: string, options: DiskStoreOptions = {}): Promise<Store> {
  const { fileSystem: files = nodeFileSystem, clock = Date.now, newId = randomUUID, onCommit = () => {} } = options;
  const layout = createLayout(dataDir);
  await asStorageFull(prepare(files, layout));
  const database = openDatabase(layout.database, onCommit, () => files.removeSync(layout.reserve));
  const shelf: Shelf = { database, files, layout, clock, ended: new Set() };
  const processes = createProcesses(database, files, layout, newId);
  return {
    ...createContentReader(database, files, layout),
    ...createUploader(shelf, processes, newId),
    ...createTagger(database),
    ...createRemover(database, clock),
    ...createReferrers(database),
    usage: async () => usage(shelf),
    recover: () => recover(shelf, processes),
    collect: (signal) => collect(shelf, signal),
    check: (signal) => check(shelf, signal),
    lead: async (address) => {
      const lock = await processes.lead(address);
      return async () => lock.release();
    },
    close: async () => {
      await processes.close();
      database.close();
    },
  };
}

/** The directories, durable, and last the marker: one that has it is complete. */
async function prepare(files: FileSystem, layout: Layout): Promise<void> {
  if ((await files.size(layout.marker)) !== undefined) return;
  const directories = [...algorithms.map((algorithm) => layout.blobs(algorithm)), layout.ingest, layout.locks];
  for (const directory of directories) await files.makeDirectory(directory);
  // Written aside and moved: a half-written marker is none, and two processes may do this at once.
  const draft = layout.upload(randomUUID());
  const marker = await files.create(draft);
  try {
    await marker.write(new TextEncoder().encode(JSON.stringify({ imageLayoutVersion: "1.0.0" })));
    await marker.sync();
  } finally {
    await marker.close();
  }
  try {
    await files.rename(draft, layout.marker);
  } catch (error) {
    // Another process was faster, and its recovery took the draft for a dead one's.
    if ((await files.size(layout.marker)) === undefined) throw error;
  }
  await files.syncDirectory(layout.root);
}

function usage(shelf: Shelf): Usage {
  const row = shelf.database.get(
    `SELECT (SELECT count(*) FROM repository) AS repositories,
            (SELECT count(*) FROM tag) AS tags,
            (SELECT count(*) FROM content WHERE kind = 'manifest') AS manifests,
            (SELECT count(*) FROM content WHERE kind = 'blob') AS blobs,
            (SELECT coalesce(sum(size), 0) FROM bytes) AS content_bytes,
            (SELECT count(*) FROM upload) AS uploads,
            (SELECT coalesce(sum(received), 0) FROM upload) AS upload_bytes,
            (SELECT count(*) FROM bytes WHERE corrupt = 1) AS quarantined`,
  );
  const number = (column: string): number => (row === undefined ? 0 : integer(row, column));
  return {
    repositories: number("repositories"),
    tags: number("tags"),
    manifests: number("manifests"),
    blobs: number("blobs"),
    contentBytes: number("content_bytes"),
    reclaimableBytes: reclaimable(shelf),
    uploads: number("uploads"),
    uploadBytes: number("upload_bytes"),
    quarantined: number("quarantined"),
  };
}
