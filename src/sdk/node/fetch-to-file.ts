import { type FileHandle, mkdtemp, open, realpath, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Descry } from "../descry.ts";
import type { FetchStreamOptions } from "../fetch-stream.ts";
import type { FetchedStream } from "../results.ts";

/**
 * Fetches into a file, which appears complete and verified or not at all: the bytes go to a temporary directory
 * beside it and take its name at the end. An existing file is replaced, what a link points to too; a device or a pipe is
 * written to as it is.
 */
export async function fetchToFile(
  descry: Descry,
  ref: string,
  path: string,
  options: FetchStreamOptions = {},
): Promise<Omit<FetchedStream, "bytes" | "cancel">> {
  const { bytes, cancel, ...answer } = await descry.fetchStream(ref, options);
  try {
    const target = await realpath(path).catch(() => path);
    const existing = await stat(target).catch(() => undefined);
    if (existing === undefined || existing.isFile()) await replaceFile(target, bytes);
    else await write(await open(target, "w"), bytes, false);
  } catch (error) {
    cancel();
    throw error;
  }
  return answer;
}

async function replaceFile(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const directory = await mkdtemp(`${path}.partial-`);
  try {
    const partial = join(directory, "content");
    await write(await open(partial, "wx"), bytes, true);
    await rename(partial, path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function write(file: FileHandle, bytes: AsyncIterable<Uint8Array>, durable: boolean): Promise<void> {
  try {
    for await (const chunk of bytes) await file.writeFile(chunk);
    if (durable) await file.sync();
  } finally {
    await file.close();
  }
}
