import { DATA_TAG, isPlain, messageLength, OFFSET_TAG, PREFIX_BYTES } from "./envelope.ts";
import { Pieces } from "./pieces.ts";

/** Data below this is not worth the trouble, in bytes. */
const MIN_DATA_BYTES = 4 * 1024;
/** Messages above this pass untouched, for the decoder to refuse: the contract's largest data is 4 MiB. */
const MAX_MESSAGE_BYTES: number = 4 * 1024 * 1024 + 64;
/** Bytes of a message besides its data: both tags, both numbers. */
const MAX_OTHER_BYTES = 32;

/**
 * Large `bytes` fields on their way in, past the message decoder: see splice.ts. Once the receiver has said that it
 * wants that, a decoded message whose data is empty had its bytes taken out, as the pieces in which they came.
 */
export class UnsplicedBody {
  readonly #taken: (readonly Uint8Array[])[] = [];
  #wanted = false;

  /** The receiver asks for `take`. To be called before it reads the first message. */
  want(): void {
    this.#wanted = true;
  }

  /** The data of the next message that was decoded with empty data. */
  take(): readonly Uint8Array[] {
    return this.#taken.shift() ?? [];
  }

  /** A body with the bytes taken out of it. Anything but a plain data message passes as it is. */
  async *split(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const pieces = new Pieces();
    /** Bytes of a message that passes as it is. */
    let passing = 0;
    for await (const chunk of body) {
      if (!this.#wanted) {
        yield chunk;
        continue;
      }
      pieces.push(chunk);
      for (;;) {
        if (passing > 0) {
          const some = pieces.take(Math.min(passing, pieces.length));
          for (const piece of some) passing -= piece.byteLength;
          yield* some;
          if (passing > 0) break;
        }
        if (pieces.length < PREFIX_BYTES) break;
        const prefix = pieces.peek(PREFIX_BYTES);
        const length = messageLength(prefix);
        if (!isPlain(prefix) || length > MAX_MESSAGE_BYTES) {
          passing = PREFIX_BYTES + length;
          continue;
        }
        if (pieces.length < PREFIX_BYTES + length) break;
        yield* this.#message(pieces.take(PREFIX_BYTES + length));
      }
    }
    yield* pieces.take(pieces.length);
  }

  /** One whole message, or what is left of it. */
  #message(envelope: readonly Uint8Array[]): readonly Uint8Array[] {
    const rest = new Pieces(envelope);
    const length = rest.length - PREFIX_BYTES;
    const head = rest.peek(Math.min(rest.length, PREFIX_BYTES + MAX_OTHER_BYTES)).slice(PREFIX_BYTES);
    const data = findData(head, length);
    if (data === undefined) return envelope;
    if (data.length === 0) this.#taken.push([]);
    if (data.length < MIN_DATA_BYTES) return envelope;
    rest.take(PREFIX_BYTES + data.start);
    const bytes = rest.take(data.length);
    const tail = rest.peek(rest.length);
    if (skipOffset(tail, 0) !== tail.byteLength) return envelope;
    this.#taken.push(bytes);
    const emptied = new Uint8Array(PREFIX_BYTES + data.tag + 2 + tail.byteLength);
    new DataView(emptied.buffer).setUint32(1, emptied.byteLength - PREFIX_BYTES);
    emptied.set(head.subarray(0, data.tag), PREFIX_BYTES);
    emptied.set([DATA_TAG, 0], PREFIX_BYTES + data.tag);
    emptied.set(tail, PREFIX_BYTES + data.tag + 2);
    return [emptied];
  }
}

interface Data {
  /** Where its tag stands in the message. */
  readonly tag: number;
  /** Where its bytes start. */
  readonly start: number;
  readonly length: number;
}

/** The data of a message that has nothing but data and an offset; the offset may come before it or after. */
function findData(head: Uint8Array, length: number): Data | undefined {
  const tag = skipOffset(head, 0);
  if (head[tag] !== DATA_TAG) return undefined;
  const size = readVarint(head, tag + 1);
  if (size === undefined) return undefined;
  const left = length - size.end - size.value;
  return left >= 0 && left <= MAX_OTHER_BYTES ? { tag, start: size.end, length: size.value } : undefined;
}

/** Where the next field starts, after an offset if there is one. */
function skipOffset(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== OFFSET_TAG) return at;
  let end = at + 1;
  while ((bytes[end] ?? 0) >= 0x80) end += 1;
  return end + 1;
}

function readVarint(bytes: Uint8Array, at: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  // Three bytes hold 2 MiB, four 256 MiB: a message is smaller.
  for (let i = 0; i < 4; i += 1) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  return undefined;
}
