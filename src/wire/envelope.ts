/** Envelopes have a byte of flags and four of length before the message, in all three protocols. */
export const PREFIX_BYTES = 5;

/** Tag of field 2, length-delimited: `data` of FetchStreamResponse and PushStreamRequest. */
export const DATA_TAG = 0x12;

/** Tag of field 3, a number: `offset` of FetchStreamResponse. */
export const OFFSET_TAG = 0x18;

/** A message, not compressed, and not the end of a stream. */
export function isPlain(envelope: Uint8Array): boolean {
  return envelope[0] === 0;
}

/** Length of the message after the prefix. */
export function messageLength(prefix: Uint8Array): number {
  return new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getUint32(1);
}
