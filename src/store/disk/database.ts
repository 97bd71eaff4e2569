import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { DescryError } from "../../oci/errors.ts";
import { migrations } from "./schema.ts";

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** How long a statement waits for another process's transaction, in milliseconds: theirs take a few. */
const BUSY_TIMEOUT_MS = 10_000;

/** SQLite's result codes (sqlite.org/rescode.html); the low byte is the primary one. */
const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;

/** The database of a data directory. All calls are synchronous, so every transaction is kept short. */
export interface Database {
  get(sql: string, ...values: SQLInputValue[]): Row | undefined;
  all(sql: string, ...values: SQLInputValue[]): readonly Row[];
  /** The number of rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number;
  /**
   * Runs `body` as one write transaction: no other process writes meanwhile, all of it happens or nothing. Durable
   * once this returns. STORAGE_FULL if the disk is.
   */
  write<T>(body: () => T): T;
  /** As `write`, for what frees space: on a full disk it may use what was set aside (reserve.ts). */
  free<T>(body: () => T): T;
  close(): void;
}

/**
 * Opens the database and brings its schema up to date. `onCommit` is called after each commit, `makeRoom` when the disk
 * is full for what frees space.
 */
export function openDatabase(path: string, onCommit: () => void, makeRoom: () => void): Database {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    // FULL: in WAL mode the default, NORMAL, may lose the last commits at a power loss.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
    migrate(database, path);
  } catch (error) {
    database.close();
    throw mapFull(error);
  }
  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };
  const write = <T>(body: () => T): T => {
    try {
      database.exec("BEGIN IMMEDIATE");
      let result;
      try {
        result = body();
        database.exec("COMMIT");
      } catch (error) {
        // A full disk may have ended the transaction already.
        if (database.isTransaction) database.exec("ROLLBACK");
        throw error;
      }
      onCommit();
      return result;
    } catch (error) {
      throw mapFull(error);
    }
  };
  return {
    get: (sql, ...values) => prepare(sql).get(...values),
    all: (sql, ...values) => prepare(sql).all(...values),
    run: (sql, ...values) => Number(prepare(sql).run(...values).changes),
    write,
    free: (body) => {
      try {
        return write(body);
      } catch (error) {
        if (!isStorageFull(error)) throw error;
        makeRoom();
        return write(body);
      }
    },
    close: () => database.close(),
  };
}

function migrate(database: DatabaseSync, path: string): void {
  const version = (): number => Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version() === migrations.length) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    // Asked again: another process may have been faster.
    const from = version();
    if (from > migrations.length)
      throw new DescryError(
        undefined,
        `${path} has schema version ${from}; this descry knows up to ${migrations.length}: use a newer one`,
        { code: "failed_precondition" },
      );
    for (const step of migrations.slice(from)) database.exec(step);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/** A full disk, as what callers know. */
export function storageFull(cause: unknown): DescryError {
  return new DescryError("STORAGE_FULL", "the store is full; free space on its disk, or run `descry system gc`", {
    side: "store",
    cause,
  });
}

export function isStorageFull(error: unknown): boolean {
  return error instanceof DescryError && error.reason === "STORAGE_FULL";
}

function mapFull(error: unknown): unknown {
  return resultCode(error) === SQLITE_FULL ? storageFull(error) : error;
}

export function isBusy(error: unknown): boolean {
  return resultCode(error) === SQLITE_BUSY;
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

/** A column that the schema says is text. */
export function text(row: Row, column: string): string {
  return String(row[column]);
}

/** A column that the schema says is an integer. */
export function integer(row: Row, column: string): number {
  return Number(row[column]);
}
