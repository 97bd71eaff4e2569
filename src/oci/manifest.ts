import { type Descriptor, descriptorFromJson, isJsonObject, type JsonObject, stringMap } from "./descriptor.ts";
import { type Digest, quote } from "./digest.ts";
import { DescryError } from "./errors.ts";
import { isImageManifest, isIndex } from "./media-type.ts";

/** Largest manifest, in bytes: the size every registry must take (distribution-spec, "Pushing Manifests"). */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** What a manifest says about other content. */
export interface Manifest {
  readonly mediaType: string;
  /** What it is made of, config first, in its order: an index's manifests, or config and layers. */
  readonly children: readonly Descriptor[];
  readonly subject?: Descriptor;
  /** As the referrers list shows it: the manifest's own, else its config's media type. Undefined: none. */
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Reads a manifest's shape; bytes of a type that is neither index nor image manifest (schema1, an artifact of
 * somebody's own) are opaque and have no children. Throws MANIFEST_INVALID for bytes that contradict their type.
 */
export function parseManifest(bytes: Uint8Array, mediaType: string): Manifest {
  const index = isIndex(mediaType);
  if (!index && !isImageManifest(mediaType)) return { mediaType, children: [] };
  const wrong = (why: string): never => {
    throw new DescryError("MANIFEST_INVALID", `not a ${mediaType}: ${why}`);
  };
  const json = parseObject(bytes, wrong);
  if (json["schemaVersion"] !== 2) wrong("schemaVersion is not 2");
  const stated = json["mediaType"] ?? "";
  if (stated !== "" && stated !== mediaType)
    wrong(`it calls itself ${typeof stated === "string" ? quote(stated) : "something that is no string"}`);
  // Both shapes in one document mean different images to different readers (CVE-2021-41190).
  if ("manifests" in json && ("layers" in json || "config" in json))
    wrong("it has manifests and also config or layers");

  const descriptor = (value: unknown, where: string): Descriptor =>
    descriptorFromJson(value, (why) => wrong(`${where} ${why}`));
  const list = (key: string): readonly Descriptor[] => {
    const items: unknown = json[key];
    if (!Array.isArray(items)) return wrong(`${key} is no list`);
    return items.map((item: unknown, i) => descriptor(item, `${key}[${i}]`));
  };
  const config = index ? undefined : descriptor(json["config"], "config");
  const children = config === undefined ? list("manifests") : [config, ...list("layers")];
  const artifactType = json["artifactType"] ?? "";
  if (typeof artifactType !== "string") return wrong("artifactType is no string");
  const shownType = artifactType === "" ? (config?.mediaType ?? "") : artifactType;
  const { annotations, subject } = json;
  return {
    mediaType,
    children,
    ...(subject === undefined || subject === null ? {} : { subject: descriptor(subject, "subject") }),
    ...(shownType === "" ? {} : { artifactType: shownType }),
    ...(annotations === undefined || annotations === null
      ? {}
      : { annotations: stringMap(annotations, (why) => wrong(`it ${why}`)) }),
  };
}

/** Digests of the children that a repository must hold: those that can be had elsewhere (urls) may be absent. */
export function requiredChildren(manifest: Manifest): readonly Digest[] {
  const required = manifest.children.filter((child) => child.urls === undefined || child.urls.length === 0);
  return [...new Set(required.map((child) => child.digest))];
}

function parseObject(bytes: Uint8Array, wrong: (why: string) => never): JsonObject {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    // V8's message cites the bytes, which are a stranger's.
    return wrong(`it is no JSON: ${quote(String(error))}`);
  }
  return isJsonObject(json) ? json : wrong("it is no JSON object");
}
