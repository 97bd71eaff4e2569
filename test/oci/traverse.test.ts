import { describe, expect, it } from "vitest";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { OCI_MANIFEST } from "../../src/oci/media-type.ts";
import { formatPlatform, parsePlatform } from "../../src/oci/platform.ts";
import { choosePlatform, isAttestation, platformsOf } from "../../src/oci/traverse.ts";
import { refusal } from "./refusal.ts";

let count = 0;
/** An entry of an index, no two alike. */
function entry(platform: string | undefined, annotations?: Record<string, string>): Descriptor {
  count += 1;
  return {
    mediaType: OCI_MANIFEST,
    digest: `sha256:${count.toString(16).padStart(64, "0")}`,
    size: 1,
    ...(platform === undefined ? {} : { platform: parsePlatform(platform) }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

// BuildKit, docs/attestations/attestation-storage.md: the descriptor of an attestation manifest.
const aboutAnImage = {
  "vnd.docker.reference.type": "attestation-manifest",
  "vnd.docker.reference.digest": "sha256:00",
};
const amd64 = entry("linux/amd64");
const arm64 = entry("linux/arm64/v8");
const armv7 = entry("linux/arm/v7");
const unstated = entry(undefined);
const attestation = entry("unknown/unknown", aboutAnImage);
const index = [attestation, unstated, amd64, arm64, armv7];

describe("choosePlatform", () => {
  it.each([
    ["linux/amd64", amd64],
    ["linux/amd64/v3", amd64],
    ["linux/arm64", arm64],
    ["linux/aarch64", arm64],
    ["linux/arm/v6", undefined],
    ["linux/arm", armv7],
    ["linux/arm/v8", armv7],
    ["windows/amd64", undefined],
  ])("%s", (wanted, expected) => {
    const choose = (): Descriptor => choosePlatform(index, parsePlatform(wanted));
    if (expected === undefined)
      expect(refusal(choose)).toMatchObject({ reason: "PLATFORM_UNKNOWN", code: "not_found" });
    else expect(choose()).toBe(expected);
  });

  it("takes the first of equals (image-spec, image-index.md)", () => {
    const twin = entry("linux/amd64");
    expect(choosePlatform([twin, amd64], parsePlatform("linux/amd64"))).toBe(twin);
  });

  it("takes the better match, wherever it stands", () => {
    const exact = entry("linux/amd64/v2");
    expect(choosePlatform([amd64, exact], parsePlatform("linux/amd64/v2"))).toBe(exact);
    expect(choosePlatform([exact, amd64], parsePlatform("linux/amd64/v2"))).toBe(exact);
  });

  it("never takes an attestation, whatever platform it states and is asked for", () => {
    const disguised = entry("linux/amd64", aboutAnImage);
    const ofAnotherType = entry("linux/amd64", { "vnd.docker.reference.type": "" });
    for (const wanted of ["linux/amd64", "unknown/unknown"])
      expect(
        refusal(() => choosePlatform([attestation, disguised, ofAnotherType], parsePlatform(wanted))),
      ).toMatchObject({
        reason: "PLATFORM_UNKNOWN",
        platforms: [],
      });
    expect(choosePlatform([disguised, amd64], parsePlatform("linux/amd64"))).toBe(amd64);
  });

  it("says what there is", () => {
    const error = refusal(() => choosePlatform(index, parsePlatform("linux/s390x")));
    expect(error?.message).toBe("no image for linux/s390x; there is linux/amd64, linux/arm64/v8, linux/arm/v7");
    expect(error?.platforms).toStrictEqual([amd64.platform, arm64.platform, armv7.platform]);
    const none = refusal(() => choosePlatform([unstated], parsePlatform("linux/s390x")));
    expect(none?.message).toBe("no image for linux/s390x; the index states no platforms");
  });

  it("keeps the message short for an index of thousands", () => {
    const many = Array.from({ length: 5000 }, (_, i) => entry(`linux/cpu${i}`));
    const error = refusal(() => choosePlatform(many, parsePlatform("linux/amd64")));
    expect(error?.message).toMatch(/linux\/cpu15 and 4984 more$/);
    expect(error?.platforms).toHaveLength(5000);
    const all = (count: number): string | undefined =>
      refusal(() => choosePlatform(many.slice(0, count), parsePlatform("linux/amd64")))?.message;
    expect(all(16)).toMatch(/linux\/cpu15$/);
    expect(all(17)).toMatch(/linux\/cpu15 and 1 more$/);
  });
});

describe("platformsOf", () => {
  it("lists each platform once, in the index's order, without attestations", () => {
    const twin = entry("linux/amd64");
    expect(platformsOf([...index, twin]).map(formatPlatform)).toStrictEqual([
      "linux/amd64",
      "linux/arm64/v8",
      "linux/arm/v7",
    ]);
  });
});

describe("isAttestation", () => {
  it("knows BuildKit's two marks, each alone", () => {
    expect(isAttestation(attestation)).toBe(true);
    for (const platform of ["unknown/unknown", "unknown/amd64", "linux/unknown"])
      expect(isAttestation(entry(platform))).toBe(true);
    expect(isAttestation(entry(undefined, aboutAnImage))).toBe(true);
    expect(isAttestation(entry("linux/amd64", { other: "x" }))).toBe(false);
    expect(isAttestation(unstated)).toBe(false);
  });
});
