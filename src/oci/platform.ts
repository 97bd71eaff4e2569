import { quote } from "./digest.ts";
import { DescryError } from "./errors.ts";

/** An OCI platform. Empty or absent means not stated. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
  readonly osFeatures?: readonly string[];
}

/** Longest text of a platform, in bytes: room for four fields of the contract's 64 bytes each. */
export const MAX_PLATFORM_BYTES = 256;

/** containerd/platforms 1.0: `os[(version+feature+feature)]`; a version or feature may be percent-encoded. */
const systemGrammar = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?$/;
const partGrammar = /^[A-Za-z0-9_.-]+$/;

/**
 * Reads `os[(version+feature…)]/architecture[/variant]`, the platform specifiers of containerd and Docker; well-known
 * other names (`macos`, `x86_64`, `aarch64`, `armhf`) become the usual ones. containerd completes half a platform
 * from the machine it runs on; here both halves must be given, since the machine that asks is seldom the one that
 * runs the image. Throws FIELD_INVALID naming `field`.
 */
export function parsePlatform(text: string, field = "platform"): Platform {
  const fail = (why: string): never => {
    throw DescryError.field(field, `platform ${quote(text)} ${why}`);
  };
  if (text.length > MAX_PLATFORM_BYTES) fail(`is longer than ${MAX_PLATFORM_BYTES} bytes`);
  const [system = "", ...parts] = text.split("/");
  const [, os = "", version = "", features = ""] =
    systemGrammar.exec(system) ?? fail("starts with no os or os(version)");
  const [architecture, variant] = parts;
  if (architecture === undefined) return fail("is half a platform; give os/architecture, as in linux/arm64");
  if (parts.length > 2) fail("has more than os/architecture/variant");
  if (!parts.every((part) => partGrammar.test(part))) fail("is not of the form os/architecture[/variant]");

  const option = (encoded: string): string => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return fail(`has ${quote(encoded)}, which is not percent-encoded`);
    }
  };
  const platform = normalizePlatform({
    os,
    architecture,
    variant: variant ?? "",
    osVersion: option(version),
    osFeatures: features.split("+").map(option),
  });
  // The variant is stated in the text of a platform exactly where its writer stated one (containerd does the same).
  if (variant === undefined && platform.architecture === "arm" && platform.variant === "v7")
    return withVariant(platform, "");
  if (variant !== undefined && platform.architecture === "arm64" && platform.variant === undefined)
    return withVariant(platform, "v8");
  return platform;
}

/**
 * One spelling for platforms that are the same (containerd/platforms, Normalize): lower case, `macos` is `darwin`,
 * `aarch64/v8` is `arm64`, `arm` is `arm/v7`; features are sorted, each once. What is not stated stays so.
 */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase();
  const [architecture, variant] = normalizeCpu(
    platform.architecture.toLowerCase(),
    (platform.variant ?? "").toLowerCase(),
  );
  const { osVersion = "" } = platform;
  const features = normalizeFeatures(platform.osFeatures);
  return {
    os: os === "macos" ? "darwin" : os,
    architecture,
    ...(variant === "" ? {} : { variant }),
    ...(osVersion === "" ? {} : { osVersion }),
    ...(features.length === 0 ? {} : { osFeatures: features }),
  };
}

function normalizeCpu(architecture: string, variant: string): readonly [architecture: string, variant: string] {
  switch (architecture) {
    case "i386":
      return ["386", ""];
    case "x86_64":
    case "x86-64":
    case "amd64":
      return ["amd64", variant === "v1" ? "" : variant];
    case "aarch64":
    case "arm64":
      if (variant === "8" || variant === "v8" || variant === "v8.0") return ["arm64", ""];
      if (variant === "9" || variant === "9.0" || variant === "v9.0") return ["arm64", "v9"];
      return ["arm64", variant];
    case "armhf":
      return ["arm", "v7"];
    case "armel":
      return ["arm", "v6"];
    case "arm":
      if (variant === "") return ["arm", "v7"];
      return ["arm", /^[5-8]$/.test(variant) ? `v${variant}` : variant];
    default:
      return [architecture, variant];
  }
}

function normalizeFeatures(features: readonly string[] = []): readonly string[] {
  return [...new Set(features)].filter((feature) => feature !== "").sort();
}

function withVariant({ variant: _, ...platform }: Platform, variant: string): Platform {
  return variant === "" ? platform : { ...platform, variant };
}

/**
 * A platform as people write it, `linux/arm64/v8` or `windows(10.0.20348.2700)/amd64`, and as parsePlatform reads it;
 * `unknown` where no os is stated (containerd/platforms, FormatAll). A platform may come from anybody's index, so
 * whatever the grammar has no place for is percent-encoded: the text is printable ASCII without spaces.
 */
export function formatPlatform(platform: Platform): string {
  if (platform.os === "") return "unknown";
  const { os, architecture, variant = "", osVersion = "" } = platform;
  const options = [osVersion, ...normalizeFeatures(platform.osFeatures)].map(encode).join("+");
  const system = options === "" ? encode(os) : `${encode(os)}(${options})`;
  return [system, encode(architecture), encode(variant)].filter((part) => part !== "").join("/");
}

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!~*'()]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
