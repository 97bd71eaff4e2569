import { createHash } from "node:crypto";
import type { Algorithm } from "./digest.ts";
import type { Hasher } from "./hasher.ts";

/** The hash port on Node (package import `#hash`). */
export function createHasher(algorithm: Algorithm): Hasher {
  const hash = createHash(algorithm);
  return {
    update: (chunk) => void hash.update(chunk),
    hex: () => hash.digest("hex"),
  };
}
