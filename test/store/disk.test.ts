import { truncate, unlink, writeFile } from "node:fs/promises";
import type { Digest } from "../../src/oci/digest.ts";
import { openStore } from "../../src/store/disk/index.ts";
import { createLayout } from "../../src/store/disk/layout.ts";
import type { Damage } from "../support/memory-store.ts";
import { storeSuite } from "../suite/store.ts";
import { readFile } from "node:fs/promises";
import { makeScratch } from "./scratch.ts";

storeSuite("on disk", async () => {
  const clock = { now: 1_700_000_000_000 };
  const scratch = await makeScratch();
  const store = await openStore(scratch.path, { clock: () => clock.now });
  const damage = async (digest: Digest, how: Damage): Promise<void> => {
    const path = createLayout(scratch.path).blob(digest);
    const bytes = await readFile(path);
    if (how === "lost") await unlink(path);
    else if (how === "truncated") await truncate(path, bytes.byteLength - 1);
    else await writeFile(path, bytes.fill(0xff & ~(bytes[0] ?? 0), 0, 1));
  };
  const close = async (): Promise<void> => {
    await store.close();
    await scratch.remove();
  };
  return { store, clock, damage, close };
});
