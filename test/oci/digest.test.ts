import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  algorithmOf,
  digestProblem,
  encodedOf,
  isDigest,
  MAX_DIGEST_BYTES,
  parseDigest,
  quote,
} from "../../src/oci/digest.ts";
import { digests } from "./arbitraries.ts";
import { refusal } from "./refusal.ts";

const hex = (length: number): string => "0123456789abcdef".repeat(16).slice(0, length);

describe("digests", () => {
  // image-spec 1.1, descriptor.md: the examples of "Digests", and its grammar. go-digest v1.0.0 says the same of all
  // but the last two, whose algorithms it has not registered; the specification has them pass.
  it.each([
    "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b",
    "sha512:401b09eab3c013d4ca54922bb802bec8fd5318192b0a75f201d8b3727429080fb337591abd3e44453b954555b7a0812e1081c39b740293f765eae731f5a65ed1",
    `sha384:${hex(96)}`,
    "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
    "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564",
  ])("takes %s", (text) => {
    expect(digestProblem(text)).toBeUndefined();
    expect(isDigest(text)).toBe(true);
    expect(parseDigest(text)).toBe(text);
  });

  it.each([
    ["", "form"],
    ["sha256", "form"],
    ["sha256:", "form"],
    [`:${hex(64)}`, "form"],
    [`SHA256:${hex(64)}`, "form"],
    [`sha256-${hex(64)}`, "form"],
    [`sha256:${hex(64)}\n`, "form"],
    [`sha256: ${hex(63)}`, "form"],
    [`sha256:sha256:${hex(64)}`, "form"],
    [`-sha256:${hex(64)}`, "form"],
    [`sha256+:${hex(64)}`, "form"],
    [`sha..256:${hex(64)}`, "form"],
    [`sha256:é${hex(63)}`, "form"],
    [`sha256:${hex(63)}`, "needs 64"],
    [`sha256:${hex(65)}`, "needs 64"],
    [`sha256:${hex(63)}A`, "needs 64"],
    [`sha256:${hex(63)}g`, "needs 64"],
    [`sha384:${hex(64)}`, "needs 96"],
    [`sha512:${hex(64)}`, "needs 128"],
    [`x:${"a".repeat(MAX_DIGEST_BYTES - 1)}`, "longer than 256"],
  ])("refuses %j", (text, why) => {
    expect(digestProblem(text)).toContain(why);
    const error = refusal(() => parseDigest(text, "desc.digest"));
    expect(error).toMatchObject({ reason: "FIELD_INVALID", violations: [{ field: "desc.digest" }] });
  });

  it("names the field that was wrong", () => {
    expect(refusal(() => parseDigest(""))?.violations).toMatchObject([{ field: "digest" }]);
  });

  it("takes the longest digest of an unknown algorithm", () => {
    expect(digestProblem(`x:${"a".repeat(MAX_DIGEST_BYTES - 2)}`)).toBeUndefined();
  });

  it("verifies sha256 and sha512 only", () => {
    expect(algorithmOf(`sha256:${hex(64)}`)).toBe("sha256");
    expect(algorithmOf(`sha512:${hex(128)}`)).toBe("sha512");
    for (const digest of [`sha384:${hex(96)}`, `blake3:${hex(64)}`, "sha256+b64u:LCa0a2j"] as const)
      expect(refusal(() => algorithmOf(digest))).toMatchObject({ reason: "DIGEST_UNSUPPORTED", digest });
  });

  it("separates the encoded part", () => {
    expect(encodedOf("x+y:a=b")).toBe("a=b");
  });

  it("takes every digest of the grammar, and throws nothing but a DescryError at any text", () => {
    fc.assert(fc.property(digests, (digest) => parseDigest(digest) === digest));
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void refusal(() => parseDigest(text))));
  });
});

describe("quote", () => {
  it("gives printable ASCII of bounded length, whatever came from outside", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        const quoted = quote(text);
        expect(quoted).toMatch(/^"[ -~]*"$/);
        // Each of 80 characters becomes at most \uXXXX.
        expect(quoted.length).toBeLessThanOrEqual(2 + 80 * 6);
        if (text.length <= 80) expect(JSON.parse(quoted)).toBe(text);
      }),
    );
  });

  it("says that it cut", () => {
    expect(quote("a".repeat(80))).toBe(`"${"a".repeat(80)}"`);
    expect(quote("a".repeat(81))).toBe(`"${"a".repeat(77)}..."`);
    // CSI in its one-character form: terminals obey it, JSON.stringify lets it through.
    expect(quote("\u009b2J")).toBe(String.raw`"\u009b2J"`);
  });
});
