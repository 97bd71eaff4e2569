import { dirname } from "node:path";
import type { Verifier } from "../../oci/verifier.ts";
import { CHUNK_BYTES, type Identity, type Incoming, type TagChange, type TagWrite, type Upload } from "../store.ts";
import type { Shelf } from "./shelf.ts";
import { storageFull } from "./database.ts";
import { errorCode, type WritableFile } from "./file-system.ts";
import { removeOrphan } from "./orphans.ts";
import { checkChildren, recordContent } from "./record.ts";
import { ensureRepository, repositoryId } from "./repositories.ts";
import { checkCondition, currentTag, writeTag } from "./tags.ts";

/**
 * Bytes after which the disk is told to start, in the background: what is left to wait for at the end is no more than
 * this, and the page cache does not fill with what nobody will read.
 */
const SYNC_AHEAD_BYTES: number = 32 * 1024 * 1024;

/**
 * An upload whose row and file are there: open, then committed, parked or discarded. Bytes are written, synced,
 * renamed, the directory synced, then the database says so: at no moment does it name bytes that could get lost.
 */
export class DiskUpload implements Upload {
  readonly #shelf: Shelf;
  readonly #id: string;
  readonly #incoming: Incoming;
  readonly #file: WritableFile;
  readonly #verifier: Verifier;
  #open = true;
  /** Bytes written since the disk was last told to start. */
  #unsynced = 0;
  #syncing = false;
  /** The last head start given to the disk. */
  #synced: Promise<void> = Promise.resolve();
  /** The chunk that is being written. */
  #written: Promise<void> = Promise.resolve();
  /** Bytes were refused or could not be written, and why: what is here is no beginning of the content. */
  #failure: { readonly error: unknown } | undefined;

  constructor(shelf: Shelf, id: string, incoming: Incoming, file: WritableFile, verifier: Verifier) {
    this.#shelf = shelf;
    this.#id = id;
    this.#incoming = incoming;
    this.#file = file;
    this.#verifier = verifier;
  }

  get offset(): number {
    return this.#verifier.received;
  }

  /** Hashes a chunk while the one before is being written: the disk and the processor work at the same time. */
  async write(chunk: Uint8Array): Promise<void> {
    try {
      this.#verifier.update(chunk);
      await this.#written;
    } catch (error) {
      this.#fail(error);
    }
    this.#throwFailure();
    this.#written = this.#append(chunk);
    // It shows at the next call; until then it is nobody's.
    this.#written.catch((error: unknown) => this.#fail(error));
  }

  async #append(chunk: Uint8Array): Promise<void> {
    await asStorageFull(this.#file.write(chunk));
    this.#unsynced += chunk.byteLength;
    if (this.#unsynced < SYNC_AHEAD_BYTES || this.#syncing) return;
    this.#unsynced = 0;
    this.#syncing = true;
    // Its failure must not get lost: Linux tells a file's write error once, and the next sync would succeed.
    this.#synced = asStorageFull(this.#file.sync()).finally(() => {
      this.#syncing = false;
    });
    this.#synced.catch((error: unknown) => this.#fail(error));
  }

  /** Waits for what is under way. One after the other: the last write may be what gives the disk its head start. */
  async #settle(): Promise<void> {
    await Promise.allSettled([this.#written]);
    await Promise.allSettled([this.#synced]);
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async commit(identity: Identity, tag?: TagWrite): Promise<TagChange | undefined> {
    const { files, layout } = this.#shelf;
    const { digest } = this.#incoming;
    let moved = false;
    try {
      await this.#settle();
      this.#throwFailure();
      this.#verifier.finish();
      this.#check(identity, tag);
      const blob = layout.blob(digest);
      await asStorageFull(this.#file.sync());
      await this.#close();
      await asStorageFull(files.rename(layout.upload(this.#id), blob));
      moved = true;
      await asStorageFull(files.syncDirectory(dirname(blob)));
      return this.#record(identity, tag);
    } catch (error) {
      // The first error is the one to tell; what cannot be cleared now is cleared by `recover`.
      await this.discard().catch(() => undefined);
      if (moved) this.#removeOrphan();
      throw error;
    }
  }

  /** Takes back what was moved. If even that fails `recover` does it. */
  #removeOrphan(): void {
    try {
      removeOrphan(this.#shelf, this.#incoming.digest);
    } catch {
      // The first error is the one to tell.
    }
  }

  async park(): Promise<void> {
    await this.#settle();
    if (this.offset === 0 || this.#failure !== undefined) return await this.discard();
    const { database, clock, files, layout } = this.#shelf;
    try {
      await asStorageFull(this.#file.sync());
      await this.#close();
      await asStorageFull(files.syncDirectory(layout.ingest));
      database.write(() =>
        database.run(
          "UPDATE upload SET process = NULL, received = ?, touched_at = ? WHERE id = ?",
          this.offset,
          clock(),
          this.#id,
        ),
      );
    } catch (error) {
      await this.discard().catch(() => undefined);
      throw error;
    }
  }

  async discard(): Promise<void> {
    await this.#close();
    await forgetUpload(this.#shelf, this.#id);
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#settle();
    await this.#file.close();
  }

  /** Finds out before anything is moved what `#record` would refuse; that decides. */
  #check(identity: Identity, tag: TagWrite | undefined): void {
    const { database } = this.#shelf;
    const repository = repositoryId(database, this.#incoming.repository);
    if (identity.kind === "manifest") checkChildren(database, repository, identity);
    if (tag === undefined) return;
    const current = repository === undefined ? undefined : currentTag(database, repository, tag.name);
    if (current !== this.#incoming.digest) checkCondition(tag, current);
  }

  #record(identity: Identity, tag: TagWrite | undefined): TagChange | undefined {
    const { database, clock } = this.#shelf;
    const { digest, size, repository: name } = this.#incoming;
    return database.write(() => {
      const now = clock();
      const repository = ensureRepository(database, name);
      if (identity.kind === "manifest") checkChildren(database, repository, identity);
      database.run(
        `INSERT INTO bytes (digest, size, stored_at) VALUES (?, ?, ?)
           ON CONFLICT (digest) DO UPDATE SET stored_at = excluded.stored_at, corrupt = 0`,
        digest,
        size,
        now,
      );
      recordContent(database, repository, digest, identity, now);
      const change = tag === undefined ? undefined : writeTag(database, repository, tag, digest);
      database.run("DELETE FROM upload WHERE id = ?", this.#id);
      return change;
    });
  }
}

/** Removes an upload's file, then its row. */
export async function forgetUpload(
  { files, layout, database, ended }: Shelf,
  id: string,
  how: "write" | "free" = "write",
): Promise<void> {
  ended.add(id);
  await files.remove(layout.upload(id));
  database[how](() => database.run("DELETE FROM upload WHERE id = ?", id));
  ended.delete(id);
}

/** Forgets the uploads that could not be forgotten when they ended. */
export async function forgetEnded(shelf: Shelf): Promise<void> {
  for (const id of shelf.ended) await forgetUpload(shelf, id, "free");
}

/** Feeds the first `size` bytes of a kept upload to the verifier: nobody has checked them yet. */
export async function replay(shelf: Shelf, id: string, size: number, verifier: Verifier): Promise<void> {
  const path = shelf.layout.upload(id);
  if ((await shelf.files.size(path)) === undefined) return;
  const file = await shelf.files.open(path);
  try {
    const chunk = new Uint8Array(CHUNK_BYTES);
    while (verifier.received < size) {
      const wanted = Math.min(chunk.byteLength, size - verifier.received);
      const count = await file.read(chunk.subarray(0, wanted), verifier.received);
      if (count === 0) return;
      verifier.update(chunk.subarray(0, count));
    }
  } finally {
    await file.close();
  }
}

/** Waits for a file operation; a full disk or quota gets its name. */
export async function asStorageFull<T>(operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    const code = errorCode(error);
    throw code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG" ? storageFull(error) : error;
  }
}
