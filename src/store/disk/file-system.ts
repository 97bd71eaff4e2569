import { constants, renameSync, unlinkSync } from "node:fs";
import { mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/**
 * The file system as the disk store uses it: a port, so that tests can fill the disk, fail a call, or replay what a
 * power loss leaves. Errors are Node's, with `code`.
 */
export interface FileSystem {
  /** Creates the directory and what is missing above it, durable; one that is there is fine. Mode 0700. */
  makeDirectory(path: string): Promise<void>;
  /** Names in a directory; none if it is not there. */
  list(path: string): Promise<readonly string[]>;
  /** Size of a file in bytes; undefined if it is not there. */
  size(path: string): Promise<number | undefined>;
  /** Creates a file that must not be there yet, to be written. */
  create(path: string): Promise<WritableFile>;
  /** Opens a file cut to `size` bytes, to be written on from there. */
  resume(path: string, size: number): Promise<WritableFile>;
  /** Opens a file for reading. */
  open(path: string): Promise<ReadableFile>;
  /** Moves a file within the store's directory; one that is at `to` is replaced. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; one that is not there is fine. */
  remove(path: string): Promise<void>;
  /** As `remove`, within a database transaction, which must not wait. */
  removeSync(path: string): void;
  /** As `rename`, within a database transaction. */
  renameSync(from: string, to: string): void;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>;
}

export interface WritableFile {
  /** Appends all of it. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes what was written durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface ReadableFile {
  /** Reads up to `into.byteLength` bytes at `position`; 0 at the end. */
  read(into: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/** Files are their owner's alone. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** The real one. */
export const nodeFileSystem: FileSystem = {
  makeDirectory: async (path) => {
    const first = await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
    if (first === undefined) return;
    for (let made = resolve(path); made.length >= first.length; made = dirname(made))
      await syncDirectory(dirname(made));
  },
  list: async (path) => (await absentAsUndefined(readdir(path))) ?? [],
  size: async (path) => (await absentAsUndefined(stat(path)))?.size,
  create: async (path) => await writable(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0),
  resume: async (path, size) => await writable(path, constants.O_WRONLY, size),
  open: async (path) => {
    const file = await open(path, constants.O_RDONLY);
    return {
      read: async (into, position) => (await file.read(into, 0, into.byteLength, position)).bytesRead,
      close: () => file.close(),
    };
  },
  rename: (from, to) => rename(from, to),
  remove: async (path) => {
    await absentAsUndefined(unlink(path));
  },
  removeSync: (path) => {
    try {
      unlinkSync(path);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  },
  renameSync,
  syncDirectory,
};

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function writable(path: string, flags: number, size: number): Promise<WritableFile> {
  const file = await open(path, flags, FILE_MODE);
  let position = size;
  try {
    if (size > 0) await file.truncate(size);
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    write: async (bytes) => {
      // A write may be short; a full disk shows on the next one.
      for (let done = 0; done < bytes.byteLength;) {
        const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, position);
        done += bytesWritten;
        position += bytesWritten;
      }
    },
    sync: () => file.datasync(),
    close: () => file.close(),
  };
}

/** The error's `code`, of Node's system errors. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

export function isAbsent(error: unknown): boolean {
  return errorCode(error) === "ENOENT";
}

async function absentAsUndefined<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
