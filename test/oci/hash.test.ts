import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Algorithm } from "../../src/oci/digest.ts";
import { createHasher as createNodeHasher } from "../../src/oci/hash-node.ts";
import { createHasher as createWebHasher } from "../../src/oci/hash-web.ts";
import { digestOf } from "../../src/oci/verifier.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe.each([
  ["node", createNodeHasher],
  ["web", createWebHasher],
])("the hash port on %s", (_, createHasher) => {
  // printf TEXT | sha256sum, sha512sum (GNU coreutils 9.1); "abc" is also the example of FIPS 180-4.
  it.each<[text: string, algorithm: Algorithm, hex: string]>([
    ["", "sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "",
      "sha512",
      "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    ],
    [
      "abc",
      "sha512",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ],
  ])("%j by %s", (text, algorithm, hex) => {
    const hasher = createHasher(algorithm);
    hasher.update(utf8(text));
    expect(hasher.hex()).toBe(hex);
  });
});

describe("the hash ports", () => {
  it("agree with each other and with themselves, however the bytes are cut", () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
    fc.assert(
      fc.property(chunks, fc.constantFrom<Algorithm>("sha256", "sha512"), (parts, algorithm) => {
        const hashers = [createNodeHasher(algorithm), createWebHasher(algorithm)];
        for (const hasher of hashers) for (const part of parts) hasher.update(part);
        const [node, web] = hashers.map((hasher) => hasher.hex());
        expect(web).toBe(node);
        expect(digestOf(Uint8Array.from(parts.flatMap((part) => [...part])), algorithm)).toBe(`${algorithm}:${node}`);
      }),
    );
  });

  it("reads a chunk at once: its owner may use the memory again", () => {
    for (const createHasher of [createNodeHasher, createWebHasher]) {
      const hasher = createHasher("sha256");
      const chunk = utf8("abc");
      hasher.update(chunk);
      chunk.fill(0);
      expect(hasher.hex()).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
  });
});
