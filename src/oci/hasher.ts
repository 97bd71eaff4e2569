/** A running hash. `hex` ends it. */
export interface Hasher {
  update(chunk: Uint8Array): void;
  hex(): string;
}
