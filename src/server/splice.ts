import { type ContextKey, createContextKey } from "@connectrpc/connect";

/**
 * Large `bytes` fields on their way out, past the message encoder. Encoding a message copies its bytes three times
 * into fresh memory, which costs a streaming server more time than all else together, most of it in the garbage
 * collector. So a service sends the message with the field empty and the bytes beside it, and the two meet again on
 * the finished envelope: the bytes that go to the socket are those the store gave.
 */
export interface Splice {
  /** Gives the bytes of the next message whose DATA field is empty. Call just before that message is sent. */
  put(bytes: Uint8Array): void;
}

/** The splice of a call whose messages are sent in binary; undefined where they are not, or there is no network. */
export const spliceKey: ContextKey<Splice | undefined> = createContextKey<Splice | undefined>(undefined, {
  description: "bytes that pass the encoder by",
});

/** Envelopes have a byte of flags and four of length before the message, in all three protocols. */
const PREFIX_BYTES = 5;
/** Tag of field 2, length-delimited: `data` of FetchStreamResponse. */
const DATA_TAG = 0x12;

export class SplicedBody implements Splice {
  readonly #waiting: Uint8Array[] = [];

  put(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
  }

  /** The envelopes of a response body, the bytes put back in. Each chunk of `body` is one envelope. */
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

/** Whether an envelope is a plain message that begins with DATA, of no bytes. */
function isEmptied(envelope: Uint8Array): boolean {
  return envelope[0] === 0 && envelope[PREFIX_BYTES] === DATA_TAG && envelope[PREFIX_BYTES + 1] === 0;
}

/** An envelope up to its DATA, which comes last: the order of a message's fields is free. */
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
