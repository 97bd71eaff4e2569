import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { MAX_MANIFEST_BYTES } from "../oci/manifest.ts";
import type { PushSource } from "../sdk/index.ts";
import { fileSource } from "../sdk/node/push-file.ts";
import type { InputStream, Io } from "./io.ts";

/** The bytes a command was given. */
export interface Input {
  /** Can be read again, from any byte. */
  readonly source: PushSource;
  readonly size: number;
  /** All bytes, if they are few enough to be a manifest. */
  readonly bytes?: Uint8Array;
  /** Name of the file; undefined for standard input. */
  readonly name?: string;
  /** Removes what was put aside. */
  dispose(): Promise<void>;
}

/** Opens a file, or standard input for `-`. What can be read only once is put aside, in memory or in a temporary file. */
export async function openInput(io: Io, path: string): Promise<Input> {
  if (path === "-") return await spool(io.stdin, io.signal);
  const { size, isRegular } = await stat(path).then((found) => ({ size: found.size, isRegular: found.isFile() }));
  const name = basename(path);
  if (!isRegular) return { ...(await spool(createReadStream(path), io.signal)), name };
  const kept = { name, dispose: async () => undefined };
  if (size > MAX_MANIFEST_BYTES) return { source: fileSource(path), size, ...kept };
  const bytes = await readFile(path);
  return { source: bytes, size: bytes.byteLength, bytes, ...kept };
}

/** Reads to the end: a push has to know digest and size before it begins. */
async function spool(stream: InputStream, signal: AbortSignal): Promise<Input> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const iterator: AsyncIterator<unknown> = stream[Symbol.asyncIterator]();
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    yield* chunks.splice(0);
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
      if (next.value instanceof Uint8Array) yield next.value;
  };
  const stop = (): void => void stream.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    while (length <= MAX_MANIFEST_BYTES) {
      const next = await iterator.next();
      if (next.done === true) {
        const bytes = Buffer.concat(chunks);
        return { source: bytes, size: length, bytes, dispose: async () => undefined };
      }
      if (!(next.value instanceof Uint8Array)) continue;
      chunks.push(next.value);
      length += next.value.byteLength;
    }
    const directory = await mkdtemp(join(tmpdir(), "descry-push-"));
    const dispose = async (): Promise<void> => await rm(directory, { recursive: true, force: true });
    try {
      const file = join(directory, "content");
      await pipeline(rest(), createWriteStream(file, { mode: 0o600 }));
      return { source: fileSource(file), size: (await stat(file)).size, dispose };
    } catch (error) {
      await dispose();
      throw error;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    // A terminal or a pipe that stays open would keep the process alive.
    stop();
  }
}
