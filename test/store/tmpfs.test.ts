import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmdirSync } from "node:fs";
import { readFile, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore } from "../../src/store/disk/index.ts";
import { createLayout } from "../../src/store/disk/layout.ts";
import { UNREFERENCED_GRACE_MS, type Store } from "../../src/store/store.ts";
import { bytesOf } from "../support/bytes.ts";
import { blobOf, type Content, indexOf, push, pushSome, readAll, reasonOf } from "../suite/store-actions.ts";

/** Mounting needs root: CI sets it. */
const MAY_MOUNT = process.env["DESCRY_TMPFS"] === "1";
const SIZE = "24m";
const BLOB_BYTES = 1_000_000;

if (!MAY_MOUNT)
  process.stderr.write("SKIPPED: a disk that is really full. It mounts a tmpfs: be root, DESCRY_TMPFS=1\n");

describe.skipIf(!MAY_MOUNT)("a disk that is really full, database and all", () => {
  const clock = { now: 1_700_000_000_000 };
  let mounted: string;
  let dataDir: string;
  let store: Store;
  beforeAll(async () => {
    mounted = mkdtempSync(join(tmpdir(), "descry-tmpfs-"));
    execFileSync("/bin/mount", ["-t", "tmpfs", "-o", `size=${SIZE}`, "tmpfs", mounted]);
    dataDir = join(mounted, "store");
    store = await openStore(dataDir, { clock: () => clock.now });
    // What a server does first; it sets space aside.
    await store.recover();
    await store.collect();
  });
  afterAll(async () => {
    await store.close();
    execFileSync("/bin/umount", [mounted]);
    rmdirSync(mounted);
  });

  /** Pushes until it is refused; what went in. */
  async function fill(salt: number, size = BLOB_BYTES): Promise<readonly Content[]> {
    const pushed: Content[] = [];
    for (;;) {
      const blob = blobOf(bytesOf(size, salt + pushed.length + 1));
      const reason = await reasonOf(push(store, "full", blob));
      if (reason !== "done") {
        expect(reason).toBe("STORAGE_FULL");
        expect(await store.find("full", blob.digest)).toBeUndefined();
        return pushed;
      }
      pushed.push(blob);
    }
  }

  it("refuses what does not fit, keeps and serves what does, and works again when there is space", async () => {
    const before = await fill(0);
    expect(before.length).toBeGreaterThan(5);
    // To the last page: then the database has no space either.
    const small = await fill(1000, 1000);
    const ballast = join(mounted, "ballast");
    await writeFile(ballast, new Uint8Array(1 << 20)).catch((error: unknown) => {
      expect(error).toMatchObject({ code: "ENOSPC" });
    });
    expect(await reasonOf(push(store, "full", indexOf({ name: "no space" }), { name: "t" }))).toBe("STORAGE_FULL");
    expect(["done", "STORAGE_FULL"]).toContain(
      await reasonOf(pushSome(store, "full", blobOf(bytesOf(2000, 99)), 1000)),
    );
    for (const { bytes, digest } of [...before, ...small])
      expect((await readAll(store, "full", digest)).equals(bytes)).toBe(true);
    expect(await store.findTag("full", "t")).toBeUndefined();

    // Its own garbage is space, though the disk is full to the last page; so is what is removed.
    const [doomed] = small;
    if (doomed === undefined) throw new Error("nothing small went in");
    expect(await store.remove("full", doomed.digest, "blob", false)).toBeDefined();
    clock.now += UNREFERENCED_GRACE_MS;
    const { blobs } = await store.usage();
    expect(blobs).toBe(before.length + small.length - 1);
    expect((await store.collect()).blobs).toBe(before.length + small.length);
    expect(readdirSync(createLayout(dataDir).ingest)).toEqual([]);
    expect(await store.usage()).toMatchObject({ uploads: 0, blobs: 0, contentBytes: 0 });

    await unlink(ballast);
    await store.collect();
    const again = await fill(5000);
    expect(again.length).toBeGreaterThanOrEqual(before.length - 1);
    const [first] = again;
    if (first === undefined) throw new Error("nothing went in");
    expect((await readFile(createLayout(dataDir).blob(first.digest))).equals(first.bytes)).toBe(true);
    expect((await store.check()).faults).toEqual([]);
  });
});
