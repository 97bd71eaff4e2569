import { DescryError } from "./errors.ts";

/** A digest in the form `algorithm:encoded`, checked by {@link parseDigest}. */
export type Digest = `${string}:${string}`;

/** Algorithms whose bytes are computed and verified here (image-spec, "Registered Algorithms"). */
export type Algorithm = "sha256" | "sha512";

/** Lower-case hex digits of each algorithm's encoded part. */
const encodedLength: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** image-spec, descriptor.md: `algorithm ":" encoded`. */
const grammar = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;
const hex = /^[0-9a-f]+$/;

/** Longest digest taken from anywhere, in bytes: sha512 needs 135; the contract says 256. */
export const MAX_DIGEST_BYTES = 256;

/** Why `text` is no digest, or undefined if it is one. Registered algorithms are held to their exact form. */
export function digestProblem(text: string): string | undefined {
  if (text.length > MAX_DIGEST_BYTES) return `is longer than ${MAX_DIGEST_BYTES} bytes`;
  if (!grammar.test(text)) return "is not of the form algorithm:encoded";
  const colon = text.indexOf(":");
  const expected = encodedLength[text.slice(0, colon)];
  if (expected === undefined) return undefined;
  const encoded = text.slice(colon + 1);
  if (encoded.length !== expected || !hex.test(encoded))
    return `needs ${expected} lower-case hex digits after "${text.slice(0, colon)}:"`;
  return undefined;
}

export function isDigest(text: string): text is Digest {
  return digestProblem(text) === undefined;
}

/** Reads a digest. Throws FIELD_INVALID naming `field`. An unknown algorithm passes: it names, but cannot be verified. */
export function parseDigest(text: string, field = "digest"): Digest {
  const problem = digestProblem(text);
  if (problem !== undefined) throw DescryError.field(field, `digest ${quote(text)} ${problem}`);
  return text as Digest;
}

/** The algorithm, if its bytes can be verified here. Throws DIGEST_UNSUPPORTED otherwise. */
export function algorithmOf(digest: Digest): Algorithm {
  const algorithm = digest.slice(0, digest.indexOf(":"));
  if (algorithm === "sha256" || algorithm === "sha512") return algorithm;
  throw new DescryError(
    "DIGEST_UNSUPPORTED",
    `digest ${quote(digest)}: ${algorithm} cannot be verified here; use sha256 or sha512`,
    { digest },
  );
}

/** The part after the colon. */
export function encodedOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** Text from outside, cut short and quoted for a message: printable ASCII, so that no terminal obeys it. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text).replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
