import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatPlatform,
  MAX_PLATFORM_BYTES,
  normalizePlatform,
  parsePlatform,
  type Platform,
} from "../../src/oci/platform.ts";
import { platforms } from "./arbitraries.ts";
import { refusal } from "./refusal.ts";

// Expected values: Parse, FormatAll and Normalize of github.com/containerd/platforms v1.0.0-rc.5, asked by a Go program;
// it agreed with these functions on 60 000 random texts and platforms, but for what the tests below name.
describe("parsePlatform", () => {
  it.each<[text: string, platform: Platform, formatted?: string]>([
    ["linux/amd64", { os: "linux", architecture: "amd64" }],
    ["Linux/AMD64", { os: "linux", architecture: "amd64" }, "linux/amd64"],
    ["linux/x86_64", { os: "linux", architecture: "amd64" }, "linux/amd64"],
    ["linux/x86-64/v1", { os: "linux", architecture: "amd64" }, "linux/amd64"],
    ["linux/amd64/v3", { os: "linux", architecture: "amd64", variant: "v3" }],
    ["linux/i386/sse2", { os: "linux", architecture: "386" }, "linux/386"],
    ["macos/aarch64", { os: "darwin", architecture: "arm64" }, "darwin/arm64"],
    ["linux/arm64", { os: "linux", architecture: "arm64" }],
    ["linux/arm64/v8", { os: "linux", architecture: "arm64", variant: "v8" }],
    ["linux/arm64/8", { os: "linux", architecture: "arm64", variant: "v8" }, "linux/arm64/v8"],
    ["linux/arm64/9.0", { os: "linux", architecture: "arm64", variant: "v9" }, "linux/arm64/v9"],
    ["linux/arm64/v8.2", { os: "linux", architecture: "arm64", variant: "v8.2" }],
    ["linux/arm", { os: "linux", architecture: "arm" }],
    ["linux/arm/v7", { os: "linux", architecture: "arm", variant: "v7" }],
    ["linux/arm/7", { os: "linux", architecture: "arm", variant: "v7" }, "linux/arm/v7"],
    ["linux/armhf", { os: "linux", architecture: "arm" }, "linux/arm"],
    ["linux/armel", { os: "linux", architecture: "arm", variant: "v6" }, "linux/arm/v6"],
    ["linux/armhf/v6", { os: "linux", architecture: "arm", variant: "v7" }, "linux/arm/v7"],
    ["windows(10.0.20348.2700)/amd64", { os: "windows", architecture: "amd64", osVersion: "10.0.20348.2700" }],
    [
      "windows(10.0.17763+win32k)/amd64",
      { os: "windows", architecture: "amd64", osVersion: "10.0.17763", osFeatures: ["win32k"] },
    ],
    ["linux(+b+a+b)/arm64", { os: "linux", architecture: "arm64", osFeatures: ["a", "b"] }, "linux(+a+b)/arm64"],
    ["linux(1%2B2+a%2Fb)/amd64", { os: "linux", architecture: "amd64", osVersion: "1+2", osFeatures: ["a/b"] }],
    ["linux()/amd64", { os: "linux", architecture: "amd64" }, "linux/amd64"],
    ["foo/bar/baz", { os: "foo", architecture: "bar", variant: "baz" }],
  ])("%s", (text, platform, formatted = text) => {
    expect(parsePlatform(text)).toStrictEqual(platform);
    expect(formatPlatform(platform)).toBe(formatted);
  });

  it.each([
    "",
    "/",
    "linux/",
    "/amd64",
    "linux/amd64/",
    "linux/arm/v7/x",
    "*",
    "linux/*",
    "linux(/amd64",
    "linux(1/amd64",
    "linux(+)/amd64",
    "linux(%zz)/amd64",
    "lin ux/amd64",
    "linux/amd 64",
    "linüx/amd64",
    "linux/amd64\n",
  ])("refuses %j", (text) => {
    expect(refusal(() => parsePlatform(text, "p"))).toMatchObject({
      reason: "FIELD_INVALID",
      violations: [{ field: "p" }],
    });
  });

  it.each(["linux", "amd64", "windows(10.0.20348)"])(
    "does not complete %s from this machine, as containerd does",
    (text) => {
      expect(refusal(() => parsePlatform(text))?.message).toContain("give os/architecture, as in linux/arm64");
    },
  );

  it("names the field that was wrong", () => {
    expect(refusal(() => parsePlatform(""))?.violations).toMatchObject([{ field: "platform" }]);
  });

  it("bounds the text", () => {
    const longest = `linux/${"a".repeat(MAX_PLATFORM_BYTES - "linux/".length)}`;
    expect(formatPlatform(parsePlatform(longest))).toBe(longest);
    expect(refusal(() => parsePlatform(`${longest}a`))?.message).toContain("longer than 256");
  });

  it("refuses bytes that are no UTF-8, which Go keeps", () => {
    expect(refusal(() => parsePlatform("linux(%ff)/amd64"))?.message).toContain("percent-encoded");
  });

  it("reads what formatPlatform prints, as the same platform", () => {
    fc.assert(
      fc.property(platforms, (platform) => {
        const read = parsePlatform(formatPlatform(platform));
        expect(normalizePlatform(read)).toStrictEqual(normalizePlatform(platform));
        expect(parsePlatform(formatPlatform(read))).toStrictEqual(read);
      }),
    );
  });

  it("throws nothing but a DescryError at any text", () => {
    const pieces = fc.constantFrom("linux", "/", "(", ")", "+", "%", "%2F", "%ff", "arm64", "v8", "10.0");
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.array(pieces).map((all) => all.join("")),
        ),
        (text) => {
          refusal(() => parsePlatform(text));
        },
      ),
    );
  });
});

describe("normalizePlatform", () => {
  it.each<[given: Platform, normal: Platform]>([
    [
      { os: "MacOS", architecture: "AArch64", variant: "V8" },
      { os: "darwin", architecture: "arm64" },
    ],
    [
      { os: "linux", architecture: "arm" },
      { os: "linux", architecture: "arm", variant: "v7" },
    ],
    [
      { os: "linux", architecture: "arm", variant: "5" },
      { os: "linux", architecture: "arm", variant: "v5" },
    ],
    [
      { os: "linux", architecture: "amd64", variant: "v1" },
      { os: "linux", architecture: "amd64" },
    ],
    [
      { os: "linux", architecture: "arm", variant: "5x" },
      { os: "linux", architecture: "arm", variant: "5x" },
    ],
    [
      { os: "linux", architecture: "arm64", variant: "v9.0" },
      { os: "linux", architecture: "arm64", variant: "v9" },
    ],
    [
      { os: "linux", architecture: "arm64", variant: "v8.0" },
      { os: "linux", architecture: "arm64" },
    ],
    [
      { os: "linux", architecture: "arm64", variant: "9" },
      { os: "linux", architecture: "arm64", variant: "v9" },
    ],
    [
      { os: "linux", architecture: "ppc64le", variant: "Power9" },
      { os: "linux", architecture: "ppc64le", variant: "power9" },
    ],
    [
      { os: "windows", architecture: "amd64", osVersion: "10.0.A", osFeatures: ["b", "a", "b"] },
      { os: "windows", architecture: "amd64", osVersion: "10.0.A", osFeatures: ["a", "b"] },
    ],
  ])("%o", (given, normal) => {
    expect(normalizePlatform(given)).toStrictEqual(normal);
  });

  it("leaves unstated what is not stated: containerd puts this machine's os", () => {
    const nothing = { os: "", architecture: "", variant: "", osVersion: "", osFeatures: [] };
    expect(normalizePlatform(nothing)).toStrictEqual({ os: "", architecture: "" });
  });

  it("gives one spelling: what is normal stays", () => {
    fc.assert(
      fc.property(platforms, (platform) => {
        const normal = normalizePlatform(platform);
        expect(normalizePlatform(normal)).toStrictEqual(normal);
      }),
    );
  });
});

describe("formatPlatform", () => {
  it("says unknown where no os is stated, and leaves out what else is not", () => {
    expect(formatPlatform({ os: "", architecture: "amd64" })).toBe("unknown");
    expect(formatPlatform({ os: "linux", architecture: "" })).toBe("linux");
  });

  it("prints printable ASCII without spaces, whatever an index states", () => {
    const text = fc.string({ unit: "binary", maxLength: 10 });
    const any = fc.record({ os: text, architecture: text, variant: text, osVersion: text, osFeatures: fc.array(text) });
    fc.assert(
      fc.property(any, (platform) => {
        expect(formatPlatform(platform)).toMatch(/^[!-~]+$/);
      }),
    );
    const loneSurrogate = { os: "a\ud800", architecture: "\u001b[2J" };
    expect(formatPlatform(loneSurrogate)).toBe("a%EF%BF%BD/%1B%5B2J");
  });
});
