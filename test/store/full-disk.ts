import { type FileSystem, nodeFileSystem, type WritableFile } from "../../src/store/disk/file-system.ts";

/** The real file system, on a disk that can be full. */
export interface FullDisk {
  readonly fileSystem: FileSystem;
  /** From now on the n-th call that needs space fails with ENOSPC, n counted from 1: only that one, or all from there on. */
  fill(call: number, lasting: "one call" | "all from one call on"): void;
  free(): void;
  /** Calls that failed since `fill`. */
  readonly failures: number;
}

export function createFullDisk(): FullDisk {
  let left = Infinity;
  let sticky = false;
  let failures = 0;
  const needSpace = (): void => {
    left -= 1;
    if (left > 0 || (left < 0 && !sticky)) return;
    failures += 1;
    throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
  };
  const writable = (real: WritableFile): WritableFile => ({
    write: async (bytes) => {
      needSpace();
      await real.write(bytes);
    },
    sync: async () => {
      needSpace();
      await real.sync();
    },
    close: () => real.close(),
  });
  return {
    get failures() {
      return failures;
    },
    fill: (call, lasting) => {
      left = call;
      sticky = lasting === "all from one call on";
      failures = 0;
    },
    free: () => void (left = Infinity),
    // What only frees space, or reads, works.
    fileSystem: {
      ...nodeFileSystem,
      makeDirectory: async (path) => {
        needSpace();
        await nodeFileSystem.makeDirectory(path);
      },
      create: async (path) => {
        needSpace();
        return writable(await nodeFileSystem.create(path));
      },
      resume: async (path, size) => {
        needSpace();
        return writable(await nodeFileSystem.resume(path, size));
      },
      rename: async (from, to) => {
        needSpace();
        await nodeFileSystem.rename(from, to);
      },
      syncDirectory: async (path) => {
        needSpace();
        await nodeFileSystem.syncDirectory(path);
      },
    },
  };
}
