import { createReadStream } from "node:fs";
import type { Descry } from "../descry.ts";
import type { PushOptions } from "../push-options.ts";
import type { Receipt } from "../results.ts";
import type { ReopenableSource } from "../source.ts";

/** Bytes read from disk at a time: one message of a stream. */
const READ_BYTES = 256 * 1024;

/** A file as the source of a push. */
export function fileSource(path: string): ReopenableSource {
  return { open: (offset) => createReadStream(path, { start: offset, highWaterMark: READ_BYTES }) };
}

/**
 * Pushes a file: reads it once for its digest, unless `options.descriptor` has it, and once to send it. A file that
 * changes in between is DIGEST_MISMATCH or SIZE_MISMATCH.
 */
export async function pushFile(descry: Descry, ref: string, path: string, options: PushOptions = {}): Promise<Receipt> {
  return await descry.push(ref, fileSource(path), options);
}
