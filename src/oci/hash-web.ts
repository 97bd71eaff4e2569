import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { Algorithm } from "./digest.ts";
import type { Hasher } from "./hasher.ts";

/** The hash port in browsers (package import `#hash`): WebCrypto cannot hash a stream. */
export function createHasher(algorithm: Algorithm): Hasher {
  const hash = algorithm === "sha256" ? sha256.create() : sha512.create();
  return {
    update: (chunk) => void hash.update(chunk),
    hex: () => bytesToHex(hash.digest()),
  };
}
