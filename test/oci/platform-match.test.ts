import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchPlatform } from "../../src/oci/platform-match.ts";
import { formatPlatform, parsePlatform } from "../../src/oci/platform.ts";
import { platforms } from "./arbitraries.ts";

/** Of the platforms in `offered`, those that serve `wanted`, best first. All are words of a text. */
function choices(wanted: string, offered: string): string {
  const matcher = matchPlatform(parsePlatform(wanted));
  const candidates = offered.split(" ").map((text) => parsePlatform(text));
  const chosen = candidates.filter((candidate) => matcher.matches(candidate)).sort((a, b) => matcher.compare(a, b));
  return chosen.map(formatPlatform).join(" ");
}

// Expected values: Only(wanted) of github.com/containerd/platforms v1.0.0-rc.5, asked by a Go program on Linux, which
// sorted the matches stably by its Less. It agreed with matchPlatform on 20 000 random indexes, but for the last block.
// Left aside: amd64 variants that are bare numbers ("3" has a rank there, as "v3" does) and Windows versions beyond
// 255.255.65535, which containerd takes for no version.
describe("matchPlatform chooses as containerd's Only", () => {
  const cpus =
    "linux/386 linux/amd64 linux/amd64/v2 linux/amd64/v3 linux/amd64/v4 linux/arm/v4 linux/arm/v5 linux/arm/v6 linux/arm/v7 " +
    "linux/arm/v8 linux/arm/v9 linux/arm64 linux/arm64/v8.1 linux/arm64/v8.5 linux/arm64/v8.6 linux/arm64/v9 linux/arm64/v9.1 " +
    "linux/ppc64le linux/riscv64 linux/s390x darwin/arm64 windows/amd64";

  it.each([
    ["linux/386", "linux/386"],
    ["linux/amd64", "linux/amd64 linux/386"],
    ["linux/amd64/v1", "linux/amd64 linux/386"],
    ["linux/amd64/v2", "linux/amd64/v2 linux/amd64 linux/386"],
    ["linux/amd64/v4", "linux/amd64/v4 linux/amd64/v3 linux/amd64/v2 linux/amd64 linux/386"],
    ["linux/arm", "linux/arm/v7 linux/arm/v6 linux/arm/v5"],
    ["linux/arm/v5", "linux/arm/v5"],
    ["linux/arm/v6", "linux/arm/v6 linux/arm/v5"],
    ["linux/arm/v8", "linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5"],
    ["linux/arm64", "linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5"],
    ["linux/arm64/v8", "linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5"],
    ["linux/arm64/v8.1", "linux/arm64/v8.1 linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5"],
    [
      "linux/arm64/v9",
      "linux/arm64/v9 linux/arm64/v8.5 linux/arm64/v8.1 linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5",
    ],
    [
      "linux/arm64/v9.1",
      "linux/arm64/v9.1 linux/arm64/v9 linux/arm64/v8.6 linux/arm64/v8.5 linux/arm64/v8.1 linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5",
    ],
    ["linux/ppc64le", "linux/ppc64le"],
    ["linux/s390x", "linux/s390x"],
    ["darwin/aarch64", "darwin/arm64"],
    ["freebsd/amd64", ""],
    ["linux/amd64/v2x", "linux/386"],
    ["linux/arm/v6x", ""],
    ["linux/arm64/v8x", ""],
  ])("%s", (wanted, expected) => {
    expect(choices(wanted, cpus)).toBe(expected);
    // The order is the matcher's and not the index's.
    expect(choices(wanted, cpus.split(" ").reverse().join(" "))).toBe(expected);
  });

  const builds =
    "windows/amd64 windows(10.0.14393.1)/amd64 windows(10.0.17763.1)/amd64 windows(10.0.20348)/amd64 " +
    "windows(10.0.20348.2700)/amd64 windows(10.0.22621)/amd64 windows(10.0.25398.1)/amd64 windows(10.0.26100.1)/amd64 " +
    "windows(10.0.26200)/amd64 windows(11.0.26100)/amd64 windows(10.0)/amd64 windows(x10.0.26100)/amd64 linux/amd64";
  const allBuilds = builds.split(" ").slice(0, -1);

  it.each([
    ["windows/amd64", allBuilds],
    ["windows(10.0)/amd64", allBuilds],
    ["windows(x10.0.26100)/amd64", allBuilds],
    ["windows(10.0.14393)/amd64", [0, 1].map((i) => allBuilds[i])],
    ["windows(10.0.17763.5458)/amd64", [0, 2].map((i) => allBuilds[i])],
    ["windows(10.0.17764)/amd64", allBuilds.slice(0, 1)],
    ["windows(10.0.20348)/amd64", [0, 3, 4].map((i) => allBuilds[i])],
    ["windows(10.0.22000)/amd64", [0, 3, 4].map((i) => allBuilds[i])],
    ["windows(10.0.25398)/amd64", [0, 3, 4, 5, 6].map((i) => allBuilds[i])],
    ["windows(10.0.26100)/amd64", [0, 3, 4, 5, 6, 7].map((i) => allBuilds[i])],
    ["windows(10.0.26200)/amd64", [0, 3, 4, 5, 6, 7, 8].map((i) => allBuilds[i])],
  ])("%s runs the builds that Windows can", (wanted, expected) => {
    expect(new Set(choices(wanted, builds).split(" "))).toStrictEqual(new Set(expected));
  });

  const featured =
    "linux/amd64 linux(+a)/amd64 linux(+a+b)/amd64 linux(+b)/386 linux(+c)/amd64 windows(+win32k)/amd64 windows(+a+win32k)/amd64";

  it.each([
    ["linux/amd64", "linux/amd64"],
    ["linux(+a)/amd64", "linux(+a)/amd64 linux/amd64"],
    ["linux(+a+b)/amd64", "linux(+a+b)/amd64 linux(+a)/amd64 linux/amd64 linux(+b)/386"],
    ["linux(+a+b+c)/amd64", "linux(+a+b)/amd64 linux(+a)/amd64 linux(+c)/amd64 linux/amd64 linux(+b)/386"],
    ["windows/amd64", "windows(+win32k)/amd64"],
    ["windows(+a)/amd64", "windows(+a+win32k)/amd64 windows(+win32k)/amd64"],
  ])("%s runs what needs no other features", (wanted, expected) => {
    expect(choices(wanted, featured)).toBe(expected);
  });

  it("orders any platforms consistently, and what matches before what does not", () => {
    fc.assert(
      fc.property(platforms, platforms, platforms, (wanted, a, b) => {
        const matcher = matchPlatform(wanted);
        expect(Math.sign(matcher.compare(a, b)) + Math.sign(matcher.compare(b, a))).toBe(0);
        if (matcher.matches(a) && !matcher.matches(b)) expect(matcher.compare(a, b)).toBeLessThan(0);
      }),
    );
  });

  it("serves a platform with itself, and first", () => {
    fc.assert(
      fc.property(platforms, platforms, (wanted, other) => {
        const matcher = matchPlatform(wanted);
        expect(matcher.matches(wanted)).toBe(true);
        // Of Windows images without versions wanted, all are alike; a newer image of the same build is better.
        if (wanted.os !== "windows") expect(matcher.compare(wanted, other)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

describe("where matchPlatform differs from containerd", () => {
  it("takes the newest Windows build that runs, as a Windows host does, if a version is wanted", () => {
    const builds = "windows/amd64 windows(10.0.20348.9)/amd64 windows(10.0.20348.10)/amd64";
    expect(choices("windows(10.0.20348)/amd64", builds)).toBe(builds.split(" ").reverse().join(" "));
    expect(choices("windows/amd64", builds)).toBe(builds);
  });

  it("lets an arm64 variant that nobody knows serve itself: there nothing serves it", () => {
    expect(choices("linux/arm64/v10", "linux/arm64 linux/arm64/v10 linux/arm/v8")).toBe("linux/arm64/v10");
  });

  it("completes nothing from this machine: what states no os or no architecture matches nothing", () => {
    const half = [
      { os: "", architecture: "amd64" },
      { os: "linux", architecture: "" },
      { os: "", architecture: "" },
    ];
    for (const wanted of half)
      for (const candidate of half) expect(matchPlatform(wanted).matches(candidate)).toBe(false);
    for (const candidate of half) expect(matchPlatform(parsePlatform("linux/amd64")).matches(candidate)).toBe(false);
  });
});
