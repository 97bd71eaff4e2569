import { createHash, randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import type { Digest } from "../../src/oci/digest.ts";

/** A file of random bytes. */
export interface BlobFile {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
}

const BLOCK_BYTES = 1024 * 1024;

/** Writes `size` bytes, a multiple of 1 MiB: one random block over and over, each time numbered. */
export async function writeBlobFile(path: string, size: number): Promise<BlobFile> {
  const block = randomBytes(BLOCK_BYTES);
  const hash = createHash("sha256");
  const file = await open(path, "w");
  try {
    for (let written = 0; written < size; written += BLOCK_BYTES) {
      block.writeDoubleLE(written);
      hash.update(block);
      await file.write(block);
    }
  } finally {
    await file.close();
  }
  return { path, digest: `sha256:${hash.digest("hex")}`, size };
}
