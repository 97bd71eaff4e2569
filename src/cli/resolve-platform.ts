import { isJsonObject } from "../oci/descriptor.ts";
import { DescryError } from "../oci/errors.ts";
import { parseManifest } from "../oci/manifest.ts";
import { isImageManifest, isIndex } from "../oci/media-type.ts";
import type { Platform } from "../oci/platform.ts";
import { parseReference, pinnedReference } from "../oci/reference.ts";
import { choosePlatform } from "../oci/traverse.ts";
import type { Descry, Resolution } from "../sdk/index.ts";

/**
 * The image for a platform: the entry of an index that serves it best, or the image itself if that is what it is for.
 * Throws PLATFORM_UNKNOWN, NOT_AN_IMAGE.
 */
export async function resolvePlatform(descry: Descry, root: Resolution, platform: Platform): Promise<Resolution> {
  const { pinnedRef, desc } = root;
  if (isIndex(desc.mediaType)) {
    const { children } = parseManifest((await descry.fetch(pinnedRef, { descriptor: desc })).data, desc.mediaType);
    const child = choosePlatform(children, platform);
    return { ...root, desc: child, pinnedRef: pinnedReference(parseReference(pinnedRef), child.digest) };
  }
  const own = await platformOf(descry, root);
  // Throws if it is not the one; what it would choose is the image.
  const image = choosePlatform([{ ...desc, platform: own }], platform);
  return { ...root, desc: image };
}

/** The platform an image's config states (image-spec, config.md). */
async function platformOf(descry: Descry, { pinnedRef, desc }: Resolution): Promise<Platform> {
  const notAnImage = (why: string): never => {
    throw new DescryError("NOT_AN_IMAGE", `${pinnedRef} ${why}; it has no platform`);
  };
  if (!isImageManifest(desc.mediaType)) return notAnImage(`is a ${desc.mediaType || "blob"}`);
  const manifest = parseManifest((await descry.fetch(pinnedRef, { descriptor: desc })).data, desc.mediaType);
  const [config] = manifest.children;
  if (config === undefined || !/\.image\.(?:v1|config\.v1)\+json$|container\.image\.v1\+json$/.test(config.mediaType))
    return notAnImage("is an artifact");
  const { data } = await descry.fetch(pinnedRef, { descriptor: config });
  const json: unknown = JSON.parse(new TextDecoder().decode(data));
  if (!isJsonObject(json)) return notAnImage("has a config that is no object");
  const text = (key: string): string => (typeof json[key] === "string" ? json[key] : "");
  const [variant, osVersion] = [text("variant"), text("os.version")];
  return {
    os: text("os"),
    architecture: text("architecture"),
    ...(variant === "" ? {} : { variant }),
    ...(osVersion === "" ? {} : { osVersion }),
  };
}
