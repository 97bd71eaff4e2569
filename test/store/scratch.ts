import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Linux keeps it in memory: there an fsync costs nothing, and what these tests ask for does not depend on one. */
const MEMORY = "/dev/shm";

export interface Scratch {
  readonly path: string;
  readonly remove: () => Promise<void>;
}

/** Makes an empty directory of a test's own. */
export async function makeScratch(): Promise<Scratch> {
  const path = await mkdtemp(join(isWritable(MEMORY) ? MEMORY : tmpdir(), "descry-store-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
