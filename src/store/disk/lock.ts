import { DatabaseSync } from "node:sqlite";
import { isBusy } from "./database.ts";

/**
 * A lock that ends with its process, however that ends. Node offers no flock, but SQLite's own lock on a database
 * file is one: the kernel drops it when the process dies, also in another container on the same file system, which a
 * process number or a heartbeat could not tell.
 */
export interface Lock {
  release(): void;
}

/** Takes the lock of a file, which is created empty. Undefined: a living process has it. */
export function tryLock(path: string): Lock | undefined {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    // Nothing is ever written, so there is no need for a second file, to roll back from.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}
