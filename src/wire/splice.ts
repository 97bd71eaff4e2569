import { DATA_TAG, isPlain, PREFIX_BYTES } from "./envelope.ts";

/**
 * Large `bytes` fields on their way out, past the message encoder. Encoding a message copies its bytes three times
 * into fresh memory, which costs a process that streams more time than all else together, most of it in the garbage
 * collector. So a message is sent with its data field empty and the bytes beside it, and the two meet again on the
 * finished envelope: what goes to the socket is what the store or the source gave. On the wire nothing differs.
 */
export class SplicedBody {
  readonly #waiting: Uint8Array[] = [];

  /** Gives the bytes of the next message whose data is empty. Call just before that message is sent. */
  put(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
  }

  /** The envelopes of a body, the bytes put back in. Each chunk of `body` is one envelope. */
  async *join(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const envelope of body) {
      const bytes = isEmptied(envelope) ? this.#waiting.shift() : undefined;
      if (bytes === undefined) {
        yield envelope;
        continue;
      }
      yield prefix(envelope, bytes.byteLength);
      yield bytes;
    }
  }
}

/** Whether an envelope is a plain message that begins with data, of no bytes. */
function isEmptied(envelope: Uint8Array): boolean {
  return isPlain(envelope) && envelope[PREFIX_BYTES] === DATA_TAG && envelope[PREFIX_BYTES + 1] === 0;
}

/** An envelope up to its data, which comes last: the order of a message's fields is free. */
function prefix(envelope: Uint8Array, length: number): Uint8Array {
  const others = envelope.subarray(PREFIX_BYTES + 2);
  const varint = toVarint(length);
  const bytes = new Uint8Array(PREFIX_BYTES + others.byteLength + 1 + varint.length);
  new DataView(bytes.buffer).setUint32(1, others.byteLength + 1 + varint.length + length);
  bytes.set(others, PREFIX_BYTES);
  bytes.set([DATA_TAG, ...varint], PREFIX_BYTES + others.byteLength);
  return bytes;
}

function toVarint(value: number): readonly number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
