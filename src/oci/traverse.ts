import type { Descriptor } from "./descriptor.ts";
import { DescryError } from "./errors.ts";
import { matchPlatform } from "./platform-match.ts";
import { formatPlatform, type Platform } from "./platform.ts";

/** Descriptor annotation by which BuildKit marks what is about an image and not an image itself. */
const REFERENCE_TYPE = "vnd.docker.reference.type";
const UNKNOWN = "unknown";

/**
 * Whether an entry of an index is about another entry and must never run: BuildKit's attestations. It writes the
 * platform unknown/unknown and the annotation `vnd.docker.reference.type`; an entry with any value of it is to be
 * passed over (BuildKit, docs/attestations/attestation-storage.md).
 */
export function isAttestation({ annotations, platform }: Descriptor): boolean {
  if (annotations !== undefined && Object.hasOwn(annotations, REFERENCE_TYPE)) return true;
  return platform?.os === UNKNOWN || platform?.architecture === UNKNOWN;
}

/** Platforms an index offers, in its order, each once; attestations and entries that state no platform left out. */
export function platformsOf(children: readonly Descriptor[]): readonly Platform[] {
  const platforms = new Map<string, Platform>();
  for (const child of children) {
    if (child.platform === undefined || isAttestation(child)) continue;
    const text = formatPlatform(child.platform);
    if (!platforms.has(text)) platforms.set(text, child.platform);
  }
  return [...platforms.values()];
}

/** Platforms that an error message lists; an index may have thousands. The error itself carries all. */
const LISTED_PLATFORMS = 16;

/**
 * The entry of an index that serves a platform best, the first of equals (image-spec, image-index.md). Entries that
 * state no platform are not chosen: only their config could tell. Throws PLATFORM_UNKNOWN, with the platforms there are.
 */
export function choosePlatform(children: readonly Descriptor[], wanted: Platform): Descriptor {
  const matcher = matchPlatform(wanted);
  let best: { readonly child: Descriptor; readonly platform: Platform } | undefined;
  for (const child of children) {
    const { platform } = child;
    if (platform === undefined || isAttestation(child) || !matcher.matches(platform)) continue;
    if (best === undefined || matcher.compare(platform, best.platform) < 0) best = { child, platform };
  }
  if (best !== undefined) return best.child;
  const platforms = platformsOf(children);
  throw new DescryError("PLATFORM_UNKNOWN", `no image for ${formatPlatform(wanted)}; ${offered(platforms)}`, {
    platforms,
  });
}

function offered(platforms: readonly Platform[]): string {
  if (platforms.length === 0) return "the index states no platforms";
  const listed = platforms.slice(0, LISTED_PLATFORMS).map(formatPlatform).join(", ");
  const more = platforms.length - LISTED_PLATFORMS;
  return `there is ${listed}${more > 0 ? ` and ${more} more` : ""}`;
}
