import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type FileSystem, nodeFileSystem, type WritableFile } from "../../src/store/disk/file-system.ts";

/** One thing that happened to the disk. Files are known by a number: their names change. */
export type Event =
  | { readonly event: "link"; readonly path: string; readonly file: number }
  | { readonly event: "unlink"; readonly path: string }
  | { readonly event: "write"; readonly file: number; readonly bytes: Uint8Array }
  | { readonly event: "cut"; readonly file: number; readonly size: number }
  | { readonly event: "sync"; readonly file: number }
  | { readonly event: "sync directory"; readonly path: string }
  | { readonly event: "directory"; readonly path: string }
  /** A copy of the database as it was made durable. */
  | { readonly event: "commit"; readonly copy: string }
  /** A mark of the test: so many commands have been answered. */
  | { readonly event: "answered"; readonly commands: number };

export interface Recorder {
  readonly fileSystem: FileSystem;
  readonly events: readonly Event[];
  answered(commands: number): void;
  /** Notes the database as it is now, in a copy beside the data directory. */
  committed(): void;
}

/** A file system that notes what is done under `dataDir`, by paths relative to it. Copies of the database go to `copies`. */
export function createRecorder(dataDir: string, copies: string): Recorder {
  const events: Event[] = [];
  const numbers = new Map<string, number>();
  let files = 0;
  const name = (path: string): string => relative(dataDir, path);
  const numberOf = (path: string): number => {
    const number = numbers.get(path);
    if (number === undefined) throw new Error(`${path} was never created`);
    return number;
  };
  const moved = (from: string, to: string): void => {
    const file = numberOf(from);
    numbers.delete(from);
    numbers.set(to, file);
    events.push({ event: "link", path: name(to), file }, { event: "unlink", path: name(from) });
  };
  const removed = (path: string): void => {
    if (numbers.delete(path)) events.push({ event: "unlink", path: name(path) });
  };
  const writable = (file: number, real: WritableFile): WritableFile => ({
    write: async (bytes) => {
      await real.write(bytes);
      events.push({ event: "write", file, bytes: bytes.slice() });
    },
    sync: async () => {
      await real.sync();
      events.push({ event: "sync", file });
    },
    close: () => real.close(),
  });
  return {
    events,
    answered: (commands) => void events.push({ event: "answered", commands }),
    committed: () => {
      const copy = join(copies, `${events.length}.db`);
      // Through SQLite: to open and close the file by other means would end the locks that this process has on it.
      const database = new DatabaseSync(join(dataDir, "descry.db"));
      database.prepare("VACUUM INTO ?").run(copy);
      database.close();
      events.push({ event: "commit", copy });
    },
    fileSystem: {
      ...nodeFileSystem,
      makeDirectory: async (path) => {
        await nodeFileSystem.makeDirectory(path);
        events.push({ event: "directory", path: name(path) });
      },
      create: async (path) => {
        const real = await nodeFileSystem.create(path);
        files += 1;
        numbers.set(path, files);
        events.push({ event: "link", path: name(path), file: files });
        return writable(files, real);
      },
      resume: async (path, size) => {
        const real = await nodeFileSystem.resume(path, size);
        events.push({ event: "cut", file: numberOf(path), size });
        return writable(numberOf(path), real);
      },
      rename: async (from, to) => {
        await nodeFileSystem.rename(from, to);
        moved(from, to);
      },
      renameSync: (from, to) => {
        nodeFileSystem.renameSync(from, to);
        moved(from, to);
      },
      remove: async (path) => {
        await nodeFileSystem.remove(path);
        removed(path);
      },
      removeSync: (path) => {
        nodeFileSystem.removeSync(path);
        removed(path);
      },
      syncDirectory: async (path) => {
        await nodeFileSystem.syncDirectory(path);
        events.push({ event: "sync directory", path: name(path) });
      },
    },
  };
}

/**
 * What survives of what was not synced. POSIX promises nothing, and file systems differ: names may be written before
 * data (then the file has its length and no bytes) or data before names.
 */
export const survivals = ["nothing", "names", "data", "everything"] as const;
export type Survival = (typeof survivals)[number];

/** A file's bytes: as written, and as last synced. */
interface File {
  bytes: Buffer;
  durable: Buffer;
}

/** Makes a data directory as a power loss after the first `count` events leaves it; the number of answered commands. */
export function materialise(events: readonly Event[], count: number, survival: Survival, dataDir: string): number {
  const files = new Map<number, File>();
  const names = new Map<string, number>();
  const durableNames = new Map<string, number>();
  let database: string | undefined;
  let answered = 0;
  const fileOf = (number: number): File => {
    const file = files.get(number) ?? { bytes: Buffer.alloc(0), durable: Buffer.alloc(0) };
    files.set(number, file);
    return file;
  };
  mkdirSync(dataDir, { recursive: true });
  for (const event of events.slice(0, count))
    switch (event.event) {
      case "link":
        names.set(event.path, event.file);
        break;
      case "unlink":
        names.delete(event.path);
        break;
      case "write": {
        const file = fileOf(event.file);
        file.bytes = Buffer.concat([file.bytes, event.bytes]);
        break;
      }
      case "cut": {
        const file = fileOf(event.file);
        file.bytes = file.bytes.subarray(0, event.size);
        break;
      }
      case "sync": {
        const file = fileOf(event.file);
        file.durable = file.bytes;
        break;
      }
      case "sync directory":
        for (const path of durableNames.keys()) if (dirname(path) === (event.path || ".")) durableNames.delete(path);
        for (const [path, file] of names) if (dirname(path) === (event.path || ".")) durableNames.set(path, file);
        break;
      case "directory":
        mkdirSync(join(dataDir, event.path), { recursive: true });
        break;
      case "commit":
        database = event.copy;
        break;
      case "answered":
        answered = event.commands;
        break;
    }
  const kept = survival === "names" || survival === "everything" ? names : durableNames;
  for (const [path, number] of kept) {
    const { bytes, durable } = fileOf(number);
    const unsynced = survival === "names" ? Buffer.alloc(bytes.byteLength) : survival === "nothing" ? durable : bytes;
    if (survival === "names") durable.copy(unsynced);
    writeFileSync(join(dataDir, path), unsynced);
  }
  if (database !== undefined) copyFileSync(database, join(dataDir, "descry.db"));
  return answered;
}
