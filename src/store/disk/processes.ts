import { DescryError } from "../../oci/errors.ts";
import { type Database, text } from "./database.ts";
import type { FileSystem } from "./file-system.ts";
import type { Layout } from "./layout.ts";
import { type Lock, tryLock } from "./lock.ts";

/** The processes that share a data directory. */
export interface Processes {
  /** This process's ID. */
  readonly id: string;
  /** Makes this process known as a living writer: before it writes its first row in `upload`. The ID again. */
  own(): Promise<string>;
  /** IDs of processes that died and left something; `forget` each when it is cleared. */
  dead(): Promise<readonly string[]>;
  forget(id: string): Promise<void>;
  /** Removes lock files that no listed process has. */
  sweep(): Promise<void>;
  /** Makes this process the leader, known by its address. Throws with the leader's address if there is one. */
  lead(address: string): Promise<Lock>;
  close(): Promise<void>;
}

const LEADER = "leader";

export function createProcesses(database: Database, files: FileSystem, layout: Layout, newId: () => string): Processes {
  const id = newId();
  let lock: Lock | undefined;

  const forget = async (gone: string): Promise<void> => {
    database.free(() => database.run("DELETE FROM process WHERE id = ?", gone));
    await files.remove(layout.lock(gone));
  };
  return {
    id,
    own: async () => {
      if (lock !== undefined) return id;
      let taken: Lock | undefined;
      try {
        // The lock first: a process that is listed without one counts as dead. In one transaction, so that `sweep`
        // does not come between and remove the file.
        database.write(() => {
          taken = tryLock(layout.lock(id));
          if (taken === undefined) throw new Error(`the lock ${layout.lock(id)} is taken`);
          database.run("INSERT INTO process (id) VALUES (?)", id);
        });
      } catch (error) {
        taken?.release();
        throw error;
      }
      lock = taken;
      return id;
    },
    dead: async () =>
      database
        .all("SELECT id FROM process WHERE id <> ?", id)
        .map((row) => text(row, "id"))
        .filter((other) => {
          const free = tryLock(layout.lock(other));
          free?.release();
          return free !== undefined;
        }),
    forget,
    sweep: async () => {
      const names = await files.list(layout.locks);
      database.write(() => {
        for (const name of names)
          if (name !== LEADER && database.get("SELECT 1 FROM process WHERE id = ?", name) === undefined)
            files.removeSync(layout.lock(name));
      });
    },
    lead: async (address) => {
      const leader = tryLock(layout.lock(LEADER));
      if (leader === undefined) {
        const row = database.get("SELECT address FROM leader");
        throw new DescryError(
          undefined,
          `${layout.root} is served already${row === undefined ? "" : `, at ${text(row, "address")}`}: use that server, or another data directory`,
          { code: "failed_precondition" },
        );
      }
      database.free(() => database.run("INSERT OR REPLACE INTO leader (only_row, address) VALUES (1, ?)", address));
      return leader;
    },
    close: async () => {
      if (lock === undefined) return;
      const own = lock;
      lock = undefined;
      // A full disk may not even take this. Without its lock the process counts as dead, and `recover` forgets it.
      await forget(id).catch(() => undefined);
      own.release();
    },
  };
}
