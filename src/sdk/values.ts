import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationFromMs, type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  ConditionCheck,
  type ContentDescriptor,
  type ContentDescriptorSchema,
  ContentKind as WireKind,
  type Freshness as WireFreshness,
  Outcome,
  type Platform as WirePlatform,
  type Receipt as WireReceipt,
  ServedBy,
  type TagConditionSchema,
} from "../gen/descry/v1/types_pb.ts";
import type { ContentKind, Descriptor } from "../oci/descriptor.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { DescryError } from "../oci/errors.ts";
import type { Platform } from "../oci/platform.ts";
import type { FreshnessOptions } from "./options.ts";
import type { Freshness, Receipt, TagCondition } from "./results.ts";

/** The contract's messages to values of oci/, and back. What breaks the contract is an error with code `internal`. */
export function broken(what: string): never {
  throw new DescryError(undefined, `the server's answer breaks the contract: ${what}`, { code: "internal" });
}

export function sizeFromWire(size: bigint): number {
  const number = Number(size);
  return number >= 0 && Number.isSafeInteger(number) ? number : broken(`size ${size}`);
}

export function digestFromWire(digest: string): Digest {
  return isDigest(digest) ? digest : broken(`digest ${JSON.stringify(digest)}`);
}

/** Bytes without what Node's Buffer does otherwise: its slice() is a view, its JSON an object. No copy. */
export function bytesFromWire(data: Uint8Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** A digest that may be absent. */
export function someDigest<K extends string>(key: K, digest: string): { readonly [key in K]?: Digest } {
  const some: { [key in K]?: Digest } = {};
  if (digest !== "") some[key] = digestFromWire(digest);
  return some;
}

/** A time that may be absent. */
export function someTime<K extends string>(key: K, time: Timestamp | undefined): { readonly [key in K]?: Date } {
  const some: { [key in K]?: Date } = {};
  if (time !== undefined) some[key] = timestampDate(time);
  return some;
}

export function descriptorFromWire(desc: ContentDescriptor | undefined): Descriptor {
  if (desc === undefined) return broken("it has no descriptor");
  const { mediaType, artifactType, urls, annotations, platform, data } = desc;
  return {
    mediaType,
    digest: digestFromWire(desc.digest),
    size: sizeFromWire(desc.size),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform: platformFromWire(platform) }),
    ...(artifactType === "" ? {} : { artifactType }),
    ...(urls.length === 0 ? {} : { urls }),
    ...(data.byteLength === 0 ? {} : { data }),
  };
}

/** What a push or a copy says of its content: other fields are ignored there. */
export function descriptorToWire(
  desc: Pick<Descriptor, "mediaType" | "digest" | "size">,
): MessageInitShape<typeof ContentDescriptorSchema> {
  return { mediaType: desc.mediaType, digest: desc.digest, size: BigInt(desc.size) };
}

export function platformFromWire(platform: WirePlatform): Platform {
  const { os, architecture, variant, osVersion, osFeatures } = platform;
  return {
    os,
    architecture,
    ...(variant === "" ? {} : { variant }),
    ...(osVersion === "" ? {} : { osVersion }),
    ...(osFeatures.length === 0 ? {} : { osFeatures }),
  };
}

const servedBy: Readonly<Record<number, Freshness["servedBy"]>> = {
  [ServedBy.STORE]: "store",
  [ServedBy.CACHE]: "cache",
  [ServedBy.MIRROR]: "mirror",
  [ServedBy.REGISTRY]: "registry",
  [ServedBy.PIN]: "pin",
};

export function freshnessFromWire(freshness: WireFreshness | undefined): Freshness {
  if (freshness?.observedAt === undefined) return broken("it does not say when it was observed");
  return {
    observedAt: timestampDate(freshness.observedAt),
    stale: freshness.stale,
    servedBy: servedBy[freshness.servedBy] ?? "unknown",
    host: freshness.host,
    ...someTime("freshUntil", freshness.freshUntil),
  };
}

const outcomes: Readonly<Record<number, Receipt["outcome"]>> = {
  [Outcome.CREATED]: "created",
  [Outcome.EXISTED]: "existed",
  [Outcome.MOUNTED]: "mounted",
};

const conditionChecks: Readonly<Record<number, NonNullable<Receipt["conditionCheck"]>>> = {
  [ConditionCheck.ATOMIC]: "atomic",
  [ConditionCheck.BEST_EFFORT]: "best-effort",
};

export function receiptFromWire(receipt: WireReceipt | undefined): Receipt {
  if (receipt === undefined) return broken("it has no receipt");
  const conditionCheck = conditionChecks[receipt.conditionCheck];
  return {
    ref: receipt.ref,
    desc: descriptorFromWire(receipt.desc),
    pinnedRef: receipt.pinnedRef,
    outcome: outcomes[receipt.outcome] ?? "unknown",
    ...someDigest("previousDigest", receipt.previousDigest),
    ...(conditionCheck === undefined ? {} : { conditionCheck }),
    ...someDigest("subjectDigest", receipt.subjectDigest),
  };
}

/** The field if_current, where a condition is given. */
export function conditionToWire(condition: TagCondition | undefined): {
  readonly ifCurrent?: MessageInitShape<typeof TagConditionSchema>;
} {
  return condition === undefined ? {} : { ifCurrent: condition };
}

export function kindToWire(kind: ContentKind | undefined): WireKind {
  if (kind === undefined) return WireKind.UNSPECIFIED;
  return kind === "manifest" ? WireKind.MANIFEST : WireKind.BLOB;
}

/** The field max_age, where an age is given. */
export function maxAgeToWire(maxAgeMs: number | undefined): { readonly maxAge?: Duration } {
  return maxAgeMs === undefined ? {} : { maxAge: durationFromMs(maxAgeMs) };
}

export function freshnessToWire(options: FreshnessOptions): {
  readonly maxAge?: Duration;
  readonly onlyCached: boolean;
  readonly pinId: string;
} {
  return {
    ...maxAgeToWire(options.maxAgeMs),
    onlyCached: options.onlyCached ?? false,
    pinId: options.pinId ?? "",
  };
}
