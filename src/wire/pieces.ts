/** Bytes as they came, taken off the front without being copied. */
export class Pieces {
  #pieces: Uint8Array[] = [];
  #length = 0;

  constructor(pieces: readonly Uint8Array[] = []) {
    for (const piece of pieces) this.push(piece);
  }

  get length(): number {
    return this.#length;
  }

  push(piece: Uint8Array): void {
    if (piece.byteLength === 0) return;
    this.#pieces.push(piece);
    this.#length += piece.byteLength;
  }

  /** The first `count` bytes, which must be there; they stay. One run of bytes, copied only if it came in several. */
  peek(count: number): Uint8Array {
    const [first] = this.#pieces;
    if (first !== undefined && first.byteLength >= count) return first.subarray(0, count);
    const bytes = new Uint8Array(count);
    let filled = 0;
    for (const piece of this.#pieces) {
      if (filled === count) break;
      const some = piece.subarray(0, count - filled);
      bytes.set(some, filled);
      filled += some.byteLength;
    }
    return bytes;
  }

  /** Takes the first `count` bytes, which must be there. */
  take(count: number): readonly Uint8Array[] {
    const taken: Uint8Array[] = [];
    let missing = count;
    while (missing > 0) {
      const first = this.#pieces.shift();
      if (first === undefined) break;
      const some = first.subarray(0, missing);
      taken.push(some);
      missing -= some.byteLength;
      if (some.byteLength < first.byteLength) this.#pieces.unshift(first.subarray(some.byteLength));
    }
    this.#length -= count - missing;
    return taken;
  }
}
