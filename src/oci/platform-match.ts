import { normalizePlatform, type Platform } from "./platform.ts";

/** Which platforms serve a wanted one, and which of them serves best. */
export interface PlatformMatcher {
  matches(candidate: Platform): boolean;
  /** For a stable sort: negative if `a` serves better than `b`, 0 if neither does. What does not match comes last. */
  compare(a: Platform, b: Platform): number;
}

/**
 * The rule by which containerd chooses what a machine runs (containerd/platforms 1.0, `Only`): the platform itself,
 * then the next older variants of its CPU, then the 32-bit CPUs it can also run. Windows runs images of the same and
 * of some older builds. An image may need no os.features that are not wanted; one that uses more of them is better.
 *
 * Where it differs: an arm64 variant that is not known serves itself instead of nothing; a platform without os or
 * architecture matches nothing instead of being completed from this machine; and of several Windows builds that fit a
 * wanted version the newest is best, as on a Windows host, but compared as numbers.
 */
export function matchPlatform(wanted: Platform): PlatformMatcher {
  const { os, architecture, variant = "", osVersion = "", osFeatures = [] } = normalizePlatform(wanted);
  const stated = os !== "" && architecture !== "";
  const ranks = new Map(cpusFor(architecture, variant).map((cpu, rank) => [cpu, rank]));
  const features = new Set(osFeatures);
  const windows = os === "windows";
  const host = windows ? windowsVersion(osVersion) : undefined;

  /** Place in the order of preference; undefined: no match. */
  const rank = (candidate: Platform): number | undefined => {
    const normal = normalizePlatform(candidate);
    if (!stated || normal.os !== os) return undefined;
    if (host !== undefined && !windowsRuns(host, normal.osVersion)) return undefined;
    const needs = normal.osFeatures ?? [];
    // Every Windows image may state win32k and no one asks for it.
    if (!needs.every((feature) => features.has(feature) || (windows && feature === "win32k"))) return undefined;
    return ranks.get(cpu(normal.architecture, normal.variant));
  };

  return {
    matches: (candidate) => rank(candidate) !== undefined,
    compare(a, b) {
      const [rankA, rankB] = [rank(a), rank(b)];
      if (rankA === undefined || rankB === undefined) return Number(rankA === undefined) - Number(rankB === undefined);
      if (rankA !== rankB) return rankA - rankB;
      const moreFeatures = (b.osFeatures?.length ?? 0) - (a.osFeatures?.length ?? 0);
      if (moreFeatures !== 0 || host === undefined) return moreFeatures;
      return compareVersions(b.osVersion, a.osVersion);
    },
  };
}

function cpu(architecture: string, variant = ""): string {
  return `${architecture}/${variant}`;
}

/** CPUs whose code a CPU runs, best first, in the spelling of normalizePlatform. */
function cpusFor(architecture: string, variant: string): readonly string[] {
  switch (architecture) {
    case "amd64": {
      const level = Number(/^v([2-9])$/.exec(variant)?.[1] ?? 1);
      const older = countdown(level - 1, 2).map((n) => cpu("amd64", `v${n}`));
      return [cpu("amd64", variant), ...older, ...(level > 1 ? [cpu("amd64")] : []), cpu("386")];
    }
    case "arm": {
      const version = Number(/^v([5-9])$/.exec(variant)?.[1] ?? 5);
      return [cpu("arm", variant), ...countdown(version - 1, 5).map((n) => cpu("arm", `v${n}`))];
    }
    case "arm64": {
      const [, major, minor = "0"] = /^v([89])(?:\.(\d))?$/.exec(variant === "" ? "v8" : variant) ?? [];
      if (major === undefined) return [cpu("arm64", variant)];
      const nine = major === "9" ? countdown(Number(minor), 0) : [];
      // Armv9.x has everything that Armv8.(x+5) has.
      const eight = countdown(major === "9" ? Math.min(Number(minor) + 5, 9) : Number(minor), 0);
      return [
        ...nine.map((n) => cpu("arm64", n === 0 ? "v9" : `v9.${n}`)),
        ...eight.map((n) => cpu("arm64", n === 0 ? "" : `v8.${n}`)),
        ...countdown(8, 5).map((n) => cpu("arm", `v${n}`)),
      ];
    }
    default:
      return [cpu(architecture, variant)];
  }
}

/** Whole numbers from `from` down to `to`; none if `from` is below. */
function countdown(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, from - to + 1) }, (_, i) => from - i);
}

interface WindowsVersion {
  readonly release: string;
  readonly build: number;
}

/** `major.minor.build[.revision]`; undefined if it is not of that form and so says nothing. */
function windowsVersion(text: string): WindowsVersion | undefined {
  const [, major, minor, build] = /^(\d{1,3})\.(\d{1,3})\.(\d{1,5})(?:\.|$)/.exec(text) ?? [];
  return major === undefined ? undefined : { release: `${Number(major)}.${Number(minor)}`, build: Number(build) };
}

/**
 * Builds of the long-term releases with a stable ABI, oldest first: Server 2022 and 2025. Older hosts run only their
 * own build; a newer one runs images from the release before its own (Microsoft, "Windows container version
 * compatibility").
 */
const STABLE_ABI_BUILDS = [20_348, 26_100] as const;

function windowsRuns(host: WindowsVersion, imageVersion: string | undefined): boolean {
  if (imageVersion === undefined) return true;
  const image = windowsVersion(imageVersion);
  if (image === undefined || image.release !== host.release) return false;
  const reached = STABLE_ABI_BUILDS.filter((build) => build <= host.build);
  const oldest = reached.at(-2) ?? reached.at(-1) ?? host.build;
  return oldest <= image.build && image.build <= host.build;
}

/** Orders dotted numbers, not stated first. */
function compareVersions(a = "", b = ""): number {
  return a.localeCompare(b, "en", { numeric: true });
}
