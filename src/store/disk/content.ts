import type { ContentKind } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import { DescryError } from "../../oci/errors.ts";
import type { ContentReader, Range, Stored } from "../store.ts";
import { CHUNK_BYTES } from "../store.ts";
import { type Database, integer, type Row, text } from "./database.ts";
import { type FileSystem, isAbsent, type ReadableFile } from "./file-system.ts";
import type { Layout } from "./layout.ts";

const columns = "c.digest, b.size, c.kind, c.media_type, c.subject, b.stored_at, b.corrupt";
const found = `SELECT ${columns}
  FROM repository r
  JOIN content c ON c.repository = r.id
  JOIN bytes b ON b.digest = c.digest`;

/** Reads what the store has. */
export function createContentReader(database: Database, files: FileSystem, layout: Layout): ContentReader {
  return {
    find: async (repository, digest, kind) => findContent(database, repository, digest, kind),
    findTag: async (repository, tag) => {
      const row = database.get(
        `SELECT ${columns}
           FROM repository r
           JOIN tag t ON t.repository = r.id AND t.name = ?
           JOIN content c ON c.repository = r.id AND c.kind = 'manifest' AND c.digest = t.digest
           JOIN bytes b ON b.digest = c.digest
          WHERE r.name = ?`,
        tag,
        repository,
      );
      return row === undefined ? undefined : storedOf(row);
    },
    hasRepository: async (repository) =>
      database.get("SELECT 1 FROM repository WHERE name = ?", repository) !== undefined,
    read: async (stored, range, borrowed = false) => {
      if (stored.corrupt) throw corrupt(stored.digest, "are in quarantine");
      const file = await openBlob(stored.digest);
      return chunks(file, stored, range, borrowed);
    },
  };

  async function openBlob(digest: Digest): Promise<ReadableFile> {
    try {
      return await files.open(layout.blob(digest));
    } catch (error) {
      if (!isAbsent(error)) throw error;
      const known = database.get("SELECT 1 FROM bytes WHERE digest = ?", digest) !== undefined;
      throw known ? corrupt(digest, "are not there") : new DescryError("CONTENT_UNKNOWN", `${digest} was removed`);
    }
  }
}

/** Content of a repository; a manifest before a blob of the same digest. */
export function findContent(
  database: Database,
  repository: string,
  digest: Digest,
  kind?: ContentKind,
): Stored | undefined {
  const row =
    kind === undefined
      ? database.get(`${found} WHERE r.name = ? AND c.digest = ? ORDER BY c.kind DESC`, repository, digest)
      : database.get(`${found} WHERE r.name = ? AND c.digest = ? AND c.kind = ?`, repository, digest, kind);
  return row === undefined ? undefined : storedOf(row);
}

function storedOf(row: Row): Stored {
  return {
    digest: text(row, "digest") as Digest,
    size: integer(row, "size"),
    kind: text(row, "kind") as ContentKind,
    mediaType: text(row, "media_type"),
    ...(row["subject"] === null ? {} : { subject: text(row, "subject") as Digest }),
    storedAt: integer(row, "stored_at"),
    corrupt: integer(row, "corrupt") !== 0,
  };
}

/**
 * The slice's bytes, reading one chunk ahead of the consumer. An iterator of its own and not a generator: `return`
 * must close the file even if nothing was read yet.
 */
function chunks(file: ReadableFile, stored: Stored, range: Range, borrowed: boolean): AsyncIterable<Uint8Array> {
  const end = range.offset + range.length;
  let position = range.offset;
  let ahead: Promise<Uint8Array> | undefined;
  let closed: Promise<void> | undefined;
  // One chunk is the consumer's while the next one is read, so two are enough.
  let [spare, lent] = [Buffer.alloc(0), Buffer.alloc(0)];
  const memory = (size: number): Buffer => {
    if (!borrowed) return Buffer.allocUnsafeSlow(size);
    [spare, lent] = [lent, spare.byteLength < size ? Buffer.allocUnsafeSlow(size) : spare];
    return lent.subarray(0, size);
  };

  const readNext = async (at: number): Promise<Uint8Array> => {
    const chunk = memory(Math.min(CHUNK_BYTES, end - at));
    for (let filled = 0; filled < chunk.byteLength;) {
      const count = await file.read(chunk.subarray(filled), at + filled);
      if (count === 0) throw corrupt(stored.digest, `end at ${at + filled} of ${stored.size}`);
      filled += count;
    }
    return chunk;
  };
  const startNext = (): void => {
    if (position === end) return;
    ahead = readNext(position);
    // Failures show where the chunk is taken; until then they are nobody's.
    ahead.catch(() => undefined);
    position = Math.min(end, position + CHUNK_BYTES);
  };
  const close = (): Promise<void> => {
    closed ??= Promise.allSettled([ahead]).then(() => file.close());
    return closed;
  };

  startNext();
  const iterator: AsyncIterator<Uint8Array> & AsyncIterable<Uint8Array> = {
    next: async () => {
      const current = closed === undefined ? ahead : undefined;
      if (current === undefined) {
        await close();
        return { done: true, value: undefined };
      }
      try {
        const value = await current;
        ahead = undefined;
        startNext();
        return { done: false, value };
      } catch (error) {
        await close();
        throw error;
      }
    },
    return: async () => {
      await close();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

function corrupt(digest: Digest, how: string): DescryError {
  return new DescryError("STORE_CORRUPT", `the store's bytes of ${digest} ${how}; push them again`, {
    digest,
    side: "store",
  });
}
