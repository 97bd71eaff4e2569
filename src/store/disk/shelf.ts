import type { Database } from "./database.ts";
import type { FileSystem } from "./file-system.ts";
import type { Layout } from "./layout.ts";

/** What the parts of a disk store work on. */
export interface Shelf {
  readonly database: Database;
  readonly files: FileSystem;
  readonly layout: Layout;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}
