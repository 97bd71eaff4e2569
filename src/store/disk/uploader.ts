import { DescryError } from "../../oci/errors.ts";
import { Verifier } from "../../oci/verifier.ts";
import type { Incoming, Upload, Uploader } from "../store.ts";
import { findContent } from "./content.ts";
import { integer, text } from "./database.ts";
import type { Processes } from "./processes.ts";
import { recordContent } from "./record.ts";
import { ensureRepository, repositoryId } from "./repositories.ts";
import type { Shelf } from "./shelf.ts";
import { asStorageFull, DiskUpload, forgetUpload, replay } from "./upload.ts";

interface Parked {
  readonly id: string;
  readonly received: number;
}

/** Takes content in. */
export function createUploader(shelf: Shelf, processes: Processes, newId: () => string): Uploader {
  const { database, files, layout, clock } = shelf;
  return {
    resumable: async (incoming) => parked(incoming)?.received ?? 0,
    upload: async (incoming, offset) => {
      const verifier = new Verifier(incoming, "invalid_argument");
      return offset === 0 ? await start(incoming, verifier) : await resume(incoming, offset, verifier);
    },
    mount: async (repository, from, digest) =>
      database.write(() => {
        const source = findContent(database, from, digest, "blob");
        if (source === undefined || source.corrupt) return false;
        const id = ensureRepository(database, repository);
        recordContent(database, id, digest, { kind: "blob", mediaType: source.mediaType }, clock());
        return true;
      }),
    hold: async (repository, digests, until) =>
      database.write(() => {
        const id = repositoryId(database, repository);
        if (id === undefined) return;
        for (const digest of digests)
          database.run(
            `INSERT INTO lease (repository, digest, expires_at) VALUES (?, ?, ?)
               ON CONFLICT (repository, digest) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)`,
            id,
            digest,
            until,
          );
      }),
  };

  function parked({ repository, digest, owner }: Incoming): Parked | undefined {
    const row = database.get(
      `SELECT id, received FROM upload
        WHERE digest = ? AND repository = ? AND owner = ? AND process IS NULL ORDER BY received DESC`,
      digest,
      repository,
      owner,
    );
    return row === undefined ? undefined : { id: text(row, "id"), received: integer(row, "received") };
  }

  async function start(incoming: Incoming, verifier: Verifier): Promise<Upload> {
    const { repository, digest, owner } = incoming;
    const process = await processes.own();
    for (let old = takeParked(incoming); old !== undefined; old = takeParked(incoming))
      await forgetUpload(shelf, old.id);
    const id = newId();
    database.write(() =>
      database.run(
        `INSERT INTO upload (id, process, owner, repository, digest, received, touched_at)
           VALUES (?, ?, ?, ?, ?, 0, ?)`,
        id,
        process,
        owner,
        repository,
        digest,
        clock(),
      ),
    );
    try {
      return new DiskUpload(shelf, id, incoming, await asStorageFull(files.create(layout.upload(id))), verifier);
    } catch (error) {
      await forgetUpload(shelf, id).catch(() => undefined);
      throw error;
    }
  }

  async function resume(incoming: Incoming, offset: number, verifier: Verifier): Promise<Upload> {
    await processes.own();
    const kept = parked(incoming)?.received ?? 0;
    const taken = kept === offset ? takeParked(incoming) : undefined;
    if (taken === undefined) throw offsetMismatch(incoming, offset, kept === offset ? 0 : kept);
    const { id } = taken;
    try {
      await replay(shelf, id, offset, verifier);
      // What came may have been lost, or its end.
      if (verifier.received !== offset) throw offsetMismatch(incoming, offset, 0);
      return new DiskUpload(
        shelf,
        id,
        incoming,
        await asStorageFull(files.resume(layout.upload(id), offset)),
        verifier,
      );
    } catch (error) {
      await forgetUpload(shelf, id).catch(() => undefined);
      throw error;
    }
  }

  /** Makes a parked upload this process's, so that nobody else goes on with it. */
  function takeParked(incoming: Incoming): Parked | undefined {
    return database.write(() => {
      const found = parked(incoming);
      if (found !== undefined) database.run("UPDATE upload SET process = ? WHERE id = ?", processes.id, found.id);
      return found;
    });
  }
}

function offsetMismatch({ digest }: Incoming, offset: number, right: number): DescryError {
  return new DescryError("OFFSET_MISMATCH", `the upload stands at ${right}, not at ${offset}; go on there`, {
    digest,
    metadata: { offset: String(right) },
  });
}
