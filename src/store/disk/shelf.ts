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
  /** Uploads that ended here but could not be forgotten, on a full disk: to be tried again. */
  readonly ended: Set<string>;
}
