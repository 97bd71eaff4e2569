import { type Digest, digestProblem } from "./digest.ts";
import type { Platform } from "./platform.ts";

/** An OCI content descriptor (image-spec, descriptor.md). Sizes are bytes, below 2^53. */
export interface Descriptor {
  /** Empty where a registry names none. */
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  readonly artifactType?: string;
  readonly urls?: readonly string[];
  /** The content itself, embedded by its publisher. Counts only if it matches size and digest. */
  readonly data?: Uint8Array;
}

/** Which space of a repository content lies in (distribution-spec: manifests or blobs). */
export type ContentKind = "manifest" | "blob";

/** A JSON object, as JSON.parse gives it. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads a descriptor's OCI JSON. `wrong` is called with what is wrong and must throw. */
export function descriptorFromJson(value: unknown, wrong: (why: string) => never): Descriptor {
  if (!isJsonObject(value)) return wrong("is no object");
  const { mediaType = "", digest, size, annotations, platform, artifactType, urls, data } = value;
  if (typeof mediaType !== "string") return wrong("has a mediaType that is no string");
  if (typeof digest !== "string") return wrong("has no digest");
  const problem = digestProblem(digest);
  if (problem !== undefined) return wrong(`has a digest that ${problem}`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    return wrong("has a size that is no whole number from 0");
  if (artifactType !== undefined && typeof artifactType !== "string")
    return wrong("has an artifactType that is no string");
  if (urls !== undefined && !isStrings(urls)) return wrong("has urls that are no list of strings");
  if (data !== undefined && typeof data !== "string") return wrong("has data that is no base64 string");
  return {
    mediaType,
    digest: digest as Digest,
    size,
    ...(annotations === undefined || annotations === null ? {} : { annotations: stringMap(annotations, wrong) }),
    ...(platform === undefined || platform === null ? {} : { platform: platformFromJson(platform, wrong) }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(urls === undefined ? {} : { urls }),
    ...(data === undefined ? {} : { data: fromBase64(data, wrong) }),
  };
}

/** A descriptor's OCI JSON: sizes are numbers, absent fields are left out. */
export function descriptorToJson(descriptor: Descriptor): JsonObject {
  const { mediaType, digest, size, urls, annotations, data, platform, artifactType } = descriptor;
  return {
    mediaType,
    digest,
    size,
    ...(urls === undefined || urls.length === 0 ? {} : { urls }),
    ...(annotations === undefined || Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(data === undefined || data.byteLength === 0 ? {} : { data: toBase64(data) }),
    ...(platform === undefined ? {} : { platform: platformToJson(platform) }),
    ...(artifactType === undefined || artifactType === "" ? {} : { artifactType }),
  };
}

/** Annotations: a map of strings to strings. */
export function stringMap(value: unknown, wrong: (why: string) => never): Readonly<Record<string, string>> {
  if (!isJsonObject(value)) return wrong("has annotations that are no object");
  const entries = Object.entries(value);
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === "string"))
    return wrong("has an annotation that is no string");
  return Object.fromEntries(entries);
}

function platformFromJson(value: unknown, wrong: (why: string) => never): Platform {
  if (!isJsonObject(value)) return wrong("has a platform that is no object");
  const text = (key: string): string => {
    const field = value[key] ?? "";
    return typeof field === "string" ? field : wrong(`has a platform whose ${key} is no string`);
  };
  const features = value["os.features"] ?? [];
  if (!isStrings(features)) return wrong("has a platform whose os.features are no list of strings");
  const variant = text("variant");
  const osVersion = text("os.version");
  return {
    os: text("os"),
    architecture: text("architecture"),
    ...(variant === "" ? {} : { variant }),
    ...(osVersion === "" ? {} : { osVersion }),
    ...(features.length === 0 ? {} : { osFeatures: features }),
  };
}

function platformToJson(platform: Platform): JsonObject {
  const { os, architecture, variant, osVersion, osFeatures } = platform;
  return {
    architecture,
    os,
    ...(osVersion === undefined ? {} : { "os.version": osVersion }),
    ...(osFeatures === undefined ? {} : { "os.features": osFeatures }),
    ...(variant === undefined ? {} : { variant }),
  };
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function fromBase64(text: string, wrong: (why: string) => never): Uint8Array {
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    return wrong("has data that is no base64 string");
  }
  // A loop, since Uint8Array.from holds up the process for 150 ms for the largest data a manifest has room for.
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Bytes turned into a string at once: engines limit the arguments of a call. */
const CHARACTERS_PER_CALL = 8192;

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let i = 0; i < bytes.length; i += CHARACTERS_PER_CALL)
    binary += String.fromCharCode(...bytes.subarray(i, i + CHARACTERS_PER_CALL));
  return btoa(binary);
}
