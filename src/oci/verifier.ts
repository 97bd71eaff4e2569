import { createHasher } from "#hash";
import { type Algorithm, algorithmOf, type Digest } from "./digest.ts";
import { DescryError } from "./errors.ts";
import type { Hasher } from "./hasher.ts";

/** Size and digest that content must have. */
export interface Expected {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Checks bytes against a size and a digest while they stream past: the one place where descry does so.
 * `wrong` is the code of a mismatch: a push with wrong bytes is a bad request, a fetch is a loss.
 * The constructor throws DIGEST_UNSUPPORTED for an algorithm that cannot be verified.
 */
export class Verifier {
  readonly #expected: Expected;
  readonly #wrong: "invalid_argument" | "data_loss";
  readonly #hasher: Hasher;
  #received = 0;

  constructor(expected: Expected, wrong: "invalid_argument" | "data_loss") {
    this.#expected = expected;
    this.#wrong = wrong;
    this.#hasher = createHasher(algorithmOf(expected.digest));
  }

  /** Bytes seen so far. */
  get received(): number {
    return this.#received;
  }

  /** Takes the next bytes. Throws SIZE_MISMATCH as soon as there are more than there should be. */
  update(chunk: Uint8Array): void {
    this.#received += chunk.byteLength;
    if (this.#received > this.#expected.size) this.#failSize(`more than ${this.#expected.size}`);
    this.#hasher.update(chunk);
  }

  /** Call once, after the last byte. Throws SIZE_MISMATCH or DIGEST_MISMATCH. */
  finish(): void {
    if (this.#received !== this.#expected.size) this.#failSize(`${this.#received} of ${this.#expected.size}`);
    const { digest } = this.#expected;
    const actual = `${algorithmOf(digest)}:${this.#hasher.hex()}`;
    if (actual !== digest)
      throw new DescryError("DIGEST_MISMATCH", `bytes hash to ${actual}, not to ${digest}`, {
        code: this.#wrong,
        digest,
        metadata: { actual_digest: actual },
      });
  }

  #failSize(bytes: string): never {
    throw new DescryError("SIZE_MISMATCH", `${bytes} bytes came for ${this.#expected.digest}`, {
      code: this.#wrong,
      digest: this.#expected.digest,
      metadata: { size: String(this.#expected.size) },
    });
  }
}

/** Digest of bytes in memory. */
export function digestOf(bytes: Uint8Array, algorithm: Algorithm = "sha256"): Digest {
  const hasher = createHasher(algorithm);
  hasher.update(bytes);
  return `${algorithm}:${hasher.hex()}`;
}

/** Throws SIZE_MISMATCH or DIGEST_MISMATCH unless `bytes` are exactly what is expected. */
export function verifyBytes(bytes: Uint8Array, expected: Expected, wrong: "invalid_argument" | "data_loss"): void {
  const verifier = new Verifier(expected, wrong);
  verifier.update(bytes);
  verifier.finish();
}
