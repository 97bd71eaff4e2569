import type { Descriptor } from "../oci/descriptor.ts";
import { type Algorithm, algorithmOf } from "../oci/digest.ts";
import { DescryError } from "../oci/errors.ts";
import { createHasher } from "#hash";

/** A source that can be read again from any byte: an interrupted push goes on by itself. */
export interface ReopenableSource {
  /** The bytes from `offset` to the end. The iteration is always ended, also when it is left early. */
  open(offset: number): AsyncIterable<Uint8Array>;
}

/** Where pushed bytes come from. All but a stream and an iterable can be read again after a break. */
export type PushSource = Uint8Array | Blob | ReopenableSource | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** What a push has to know about its content. */
export type ContentName = Pick<Descriptor, "mediaType" | "digest" | "size">;

/** Largest message of a pushed stream, in bytes: big enough that per-message cost vanishes (64 to 256 KiB are best). */
const MESSAGE_BYTES = 256 * 1024;

/** Whether a source can be read again. */
export function reopens(source: PushSource): boolean {
  return source instanceof Uint8Array || source instanceof Blob || "open" in source;
}

/** The bytes from `offset`. A source that cannot be read again is opened once, at 0. */
export function openSource(source: PushSource, offset: number): AsyncIterable<Uint8Array> {
  if (source instanceof Uint8Array) return once(source.subarray(offset));
  if (source instanceof Blob) return readStream(source.slice(offset).stream());
  if ("open" in source) return source.open(offset);
  // Not every browser lets a ReadableStream be iterated.
  return "getReader" in source ? readStream(source) : source;
}

/** The digest and the size of a source that can be read again, by reading it. */
export async function nameSource(
  source: PushSource,
  mediaType: string,
  algorithm: Algorithm,
  signal?: AbortSignal,
): Promise<ContentName> {
  if (!reopens(source)) throw DescryError.field("descriptor", "give the descriptor: a stream can be read only once");
  const hasher = createHasher(algorithm);
  let size = 0;
  for await (const chunk of openSource(source, 0)) {
    signal?.throwIfAborted();
    hasher.update(chunk);
    size += chunk.byteLength;
  }
  return { mediaType, digest: `${algorithm}:${hasher.hex()}`, size };
}

/** All bytes of a source that should have `size` of them. Throws SIZE_MISMATCH as soon as there are more, or at the end. */
export async function readAll(source: PushSource, { digest, size }: ContentName): Promise<Uint8Array> {
  algorithmOf(digest);
  if (source instanceof Uint8Array && source.byteLength === size) return source;
  const bytes = new Uint8Array(size);
  let offset = 0;
  for await (const chunk of openSource(source, 0)) {
    if (offset + chunk.byteLength <= size) bytes.set(chunk, offset);
    offset += chunk.byteLength;
    if (offset > size) break;
  }
  if (offset !== size)
    throw new DescryError("SIZE_MISMATCH", `${offset > size ? "more" : "fewer"} than ${size} bytes for ${digest}`, {
      digest,
      metadata: { size: String(size) },
    });
  return bytes;
}

/** The same bytes in messages of MESSAGE_BYTES, the last one excepted. */
export async function* inMessages(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let waiting: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    let rest = chunk;
    while (length + rest.byteLength >= MESSAGE_BYTES) {
      const head = rest.subarray(0, MESSAGE_BYTES - length);
      yield joined([...waiting, head]);
      rest = rest.subarray(head.byteLength);
      waiting = [];
      length = 0;
    }
    // Copied: the source may use its chunk again for the next bytes.
    if (rest.byteLength > 0) waiting.push(rest.slice());
    length += rest.byteLength;
  }
  if (length > 0) yield joined(waiting);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

async function* readStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      ended = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!ended) await reader.cancel();
    reader.releaseLock();
  }
}
