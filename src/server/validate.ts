import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { type ContentDescriptor, ContentKind, type Platform, type TagCondition } from "../gen/descry/v1/types_pb.ts";
import type { ContentKind as Kind, Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestProblem, isDigest, quote } from "../oci/digest.ts";
import { DescryError, type FieldViolation } from "../oci/errors.ts";
import { isManifest, isMediaType } from "../oci/media-type.ts";
import { formatReference, isTag, parseReference, parseRepository, type Reference } from "../oci/reference.ts";
import type { Condition } from "../store/store.ts";

/** Most urls of a descriptor: nobody lists more mirrors of one foreign layer. */
export const MAX_URLS = 16;
/** Longest artifact type, in bytes: that of a media type (RFC 6838 §4.2 with both sides full). */
export const MAX_ARTIFACT_TYPE_BYTES = 255;
/** Longest name in a platform, in bytes: GOOS, GOARCH and a Windows version are far shorter. */
const MAX_PLATFORM_BYTES = 64;
/** Most OS features of a platform; one is known, win32k. */
const MAX_OS_FEATURES = 32;

/** What a field that cannot be read stands for until `done`: other fields are not held against it. */
const UNREAD_REFERENCE: Reference = { host: "", path: "" };
const UNREAD_DIGEST: Digest = "sha256:";

/**
 * Reads a request's fields against the limits written in the contract, and gathers what is wrong with all of them:
 * the caller is told once. A getter that found a violation answers a stand-in; `done` throws before it is used.
 * `prefix` is the path of the message within the request: `header.`.
 */
export class FieldReader {
  readonly #violations: FieldViolation[] = [];
  /** The one error that is more than a violation, such as NOT_A_REFERENCE. */
  #special: DescryError | undefined;
  readonly #prefix: string;

  constructor(prefix = "") {
    this.#prefix = prefix;
  }

  /** Notes that a field breaks a rule; of several rules of one field the first is told. */
  violate(field: string, description: string): void {
    this.#note({ field: this.#prefix + field, description });
  }

  #note(violation: FieldViolation): void {
    if (!this.#violations.some(({ field }) => field === violation.field)) this.#violations.push(violation);
  }

  /** Throws what was found. */
  done(): void {
    const [violation] = this.#violations;
    if (violation === undefined) return;
    if (this.#special !== undefined && this.#violations.length === 1) throw this.#special;
    throw DescryError.fields(this.#violations);
  }

  reference(field: string, text: string): Reference {
    return this.#parse(() => parseReference(text, this.#prefix + field));
  }

  repository(field: string, text: string): Reference {
    return this.#parse(() => parseRepository(text, this.#prefix + field));
  }

  /** A digest; undefined where the field is empty. */
  digest(field: string, text: string): Digest | undefined {
    if (text === "") return undefined;
    const problem = digestProblem(text);
    if (problem !== undefined) this.violate(field, `digest ${quote(text)} ${problem}`);
    return text as Digest;
  }

  /** A digest that must be given. */
  requiredDigest(field: string, text: string): Digest {
    const digest = this.digest(field, text);
    if (digest === undefined) this.violate(field, "is required");
    return digest ?? UNREAD_DIGEST;
  }

  /** A media type; undefined where the field is empty. */
  mediaType(field: string, text: string): string | undefined {
    if (text === "") return undefined;
    if (!isMediaType(text)) this.violate(field, `${quote(text)} is no media type of the form type/subtype`);
    return text;
  }

  /** A size or offset in bytes. */
  bytes(field: string, value: bigint): number {
    if (value < 0n) this.violate(field, `is ${value}; it counts from 0`);
    else if (value > BigInt(Number.MAX_SAFE_INTEGER)) this.violate(field, `is ${value}; at most 2^53 - 1`);
    return Number(value);
  }

  /** A page size: `fallback` for 0, never above `most`. */
  pageSize(field: string, value: number, fallback: number, most: number): number {
    if (value < 0) this.violate(field, `is ${value}; it counts from 0`);
    return value === 0 ? fallback : Math.min(value, most);
  }

  text(field: string, value: string, most: number): string {
    if (Buffer.byteLength(value) > most) this.violate(field, `is longer than ${most} bytes`);
    return value;
  }

  count(field: string, items: readonly unknown[], most: number): void {
    if (items.length > most) this.violate(field, `has ${items.length} items; at most ${most}`);
  }

  /** Milliseconds; undefined where the field is not set. */
  duration(field: string, value: Duration | undefined): number | undefined {
    if (value === undefined) return undefined;
    // Either part tells: less than a millisecond below zero would be rounded away.
    if (value.seconds < 0n || value.nanos < 0) this.violate(field, "is negative");
    return durationMs(value);
  }

  /** A descriptor about to be written: media type, digest and size count. */
  descriptor(field: string, value: ContentDescriptor | undefined): Descriptor {
    if (value === undefined) {
      this.violate(field, "is required");
      return { mediaType: "", digest: UNREAD_DIGEST, size: 0 };
    }
    this.text(`${field}.artifact_type`, value.artifactType, MAX_ARTIFACT_TYPE_BYTES);
    this.count(`${field}.urls`, value.urls, MAX_URLS);
    if (value.platform !== undefined) this.#platform(`${field}.platform`, value.platform);
    return {
      mediaType: this.mediaType(`${field}.media_type`, value.mediaType) ?? "",
      digest: this.requiredDigest(`${field}.digest`, value.digest),
      size: this.bytes(`${field}.size`, value.size),
    };
  }

  #platform(field: string, { os, architecture, variant, osVersion, osFeatures }: Platform): void {
    const names = { os, architecture, variant, os_version: osVersion };
    for (const [name, value] of Object.entries(names)) this.text(`${field}.${name}`, value, MAX_PLATFORM_BYTES);
    this.count(`${field}.os_features`, osFeatures, MAX_OS_FEATURES);
  }

  /** The kind that was asked for, else `fallback`. */
  kind(field: string, value: ContentKind, fallback: Kind): Kind {
    if (value === ContentKind.MANIFEST) return "manifest";
    if (value === ContentKind.BLOB) return "blob";
    if (value !== ContentKind.UNSPECIFIED) this.violate(field, `${Number(value)} is no ContentKind`);
    return fallback;
  }

  /** A condition on the reference's tag; a reference without one can have none. */
  condition(field: string, value: TagCondition | undefined, reference: Reference): Condition | undefined {
    if (value === undefined) return undefined;
    if (reference.tag === undefined && reference !== UNREAD_REFERENCE)
      this.violate(field, "is for a reference with a tag only");
    const digest = this.digest(`${field}.digest`, value.digest);
    if ((digest !== undefined) === value.absent) this.violate(field, "gives exactly one of digest and absent");
    return digest === undefined ? "absent" : { digest };
  }

  /** Where something is written to: `repository`, `repository:tag` or `repository@digest`. */
  targetReference(field: string, text: string): Reference {
    const reference = this.reference(field, text);
    if (reference.tag !== undefined && reference.digest !== undefined)
      this.violate(field, `${quote(text)} has a tag and a digest; give one, or none`);
    return reference;
  }

  /** The kind of what is written to `reference`; a tag goes on a manifest only, a digest must be the content's. */
  target(kind: ContentKind, reference: Reference, descriptor: Descriptor, field = "ref"): Kind {
    const written = this.kind("kind", kind, isManifest(descriptor.mediaType) ? "manifest" : "blob");
    if (written === "blob" && reference.tag !== undefined)
      this.violate(
        field,
        `${quote(formatReference(reference))} has a tag, but ${descriptor.mediaType || "the content"} is a blob; give the repository alone`,
      );
    if (written === "manifest" && descriptor.mediaType === "")
      this.violate("desc.media_type", "is required for a manifest");
    const { digest } = descriptor;
    if (reference.digest !== undefined && isDigest(digest) && reference.digest !== digest)
      this.violate(field, `has digest ${reference.digest}, but the content's is ${digest}`);
    return written;
  }

  tagPrefix(field: string, value: string): string {
    if (value !== "" && !isTag(value)) this.violate(field, `${quote(value)} starts no tag`);
    return value;
  }

  #parse(parse: () => Reference): Reference {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof DescryError)) throw error;
      for (const violation of error.violations) this.#note(violation);
      if (error.reason !== "FIELD_INVALID") this.#special = error;
      return UNREAD_REFERENCE;
    }
  }
}
