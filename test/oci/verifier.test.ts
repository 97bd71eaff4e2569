import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Digest } from "../../src/oci/digest.ts";
import { digestOf, Verifier, verifyBytes } from "../../src/oci/verifier.ts";
import { refusal } from "./refusal.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

// printf abc | sha256sum (GNU coreutils 9.1)
const abc: Digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
// image-spec, manifest.md, "Guidance for an Empty Descriptor"
const empty: Digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

describe("verification", () => {
  it("accepts the bytes, and the empty blob", () => {
    expect(refusal(() => verifyBytes(utf8("abc"), { digest: abc, size: 3 }, "data_loss"))).toBeUndefined();
    expect(refusal(() => verifyBytes(utf8("{}"), { digest: empty, size: 2 }, "data_loss"))).toBeUndefined();
    const nothing = digestOf(new Uint8Array());
    expect(refusal(() => verifyBytes(new Uint8Array(), { digest: nothing, size: 0 }, "data_loss"))).toBeUndefined();
  });

  it.each([
    ["abd", 3, "DIGEST_MISMATCH", "actual_digest"],
    ["ab", 3, "SIZE_MISMATCH", "size"],
    ["abcd", 3, "SIZE_MISMATCH", "size"],
    ["abc", 2, "SIZE_MISMATCH", "size"],
    ["abc", 4, "SIZE_MISMATCH", "size"],
    ["", 3, "SIZE_MISMATCH", "size"],
    ["abc", 0, "SIZE_MISMATCH", "size"],
  ])("refuses %j for %i bytes of abc: %s", (text, size, reason, metadata) => {
    for (const wrong of ["invalid_argument", "data_loss"] as const) {
      const error = refusal(() => verifyBytes(utf8(text), { digest: abc, size }, wrong));
      expect(error).toMatchObject({ reason, code: wrong, digest: abc });
      expect(error?.metadata).toHaveProperty([metadata]);
    }
  });

  it("refuses too many bytes with the chunk that brings them, not at the end", () => {
    const verifier = new Verifier({ digest: abc, size: 3 }, "data_loss");
    verifier.update(utf8("abc"));
    verifier.update(new Uint8Array());
    expect(refusal(() => verifier.update(utf8("d")))).toMatchObject({ reason: "SIZE_MISMATCH" });
  });

  it("refuses an algorithm it cannot verify before the first byte", () => {
    const digest: Digest = `sha384:${"0".repeat(96)}`;
    expect(refusal(() => new Verifier({ digest, size: 0 }, "data_loss"))).toMatchObject({
      reason: "DIGEST_UNSUPPORTED",
    });
  });

  it("does not depend on how the bytes are cut, and sees every flipped bit", () => {
    const content = fc.uint8Array({ minLength: 1, maxLength: 2000 });
    const cuts = fc.array(fc.nat(2000), { maxLength: 6 });
    fc.assert(
      fc.property(content, cuts, fc.constantFrom("sha256", "sha512"), fc.nat(), (bytes, at, algorithm, bit) => {
        const expected = { digest: digestOf(bytes, algorithm), size: bytes.byteLength };
        const verified = (content: Uint8Array): void => {
          const verifier = new Verifier(expected, "data_loss");
          const bounds = [
            0,
            ...at.map((i) => Math.min(i, content.byteLength)).toSorted((a, b) => a - b),
            content.byteLength,
          ];
          bounds.forEach((bound, i) => verifier.update(content.subarray(bounds[i - 1] ?? 0, bound)));
          expect(verifier.received).toBe(content.byteLength);
          verifier.finish();
        };
        expect(refusal(() => verified(bytes))).toBeUndefined();
        const flipped = bytes.map((byte, i) => (i === (bit >> 3) % bytes.byteLength ? byte ^ (1 << (bit & 7)) : byte));
        expect(refusal(() => verified(flipped))).toMatchObject({ reason: "DIGEST_MISMATCH" });
        expect(refusal(() => verified(bytes.subarray(1)))).toMatchObject({ reason: "SIZE_MISMATCH" });
      }),
    );
  });
});
