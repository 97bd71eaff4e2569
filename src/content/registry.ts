import type { ContentKind, Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { Reference } from "../oci/reference.ts";
import type { Condition, Referrer, TagEntry } from "../store/store.ts";
import type { Caller } from "./caller.ts";

/** Who calls, and until when it matters. */
export interface Call {
  readonly caller: Caller;
  /** Aborts when the caller is gone or out of time. */
  readonly signal: AbortSignal;
}

/** How current an answer must be. */
export interface Asked {
  /** Oldest answer taken, in milliseconds. Undefined: the registry's policy. */
  readonly maxAge?: number;
  readonly onlyCached: boolean;
}

/** How far an answer can be trusted to be current (Freshness in the contract). Times are milliseconds since 1970. */
export interface Freshness {
  readonly observedAt: number;
  readonly servedBy: "store";
  /** Undefined: immutable. */
  readonly freshUntil?: number;
}

export interface Resolution {
  /** As asked, canonical, with the default tag filled in. */
  readonly reference: Reference;
  readonly descriptor: Descriptor;
  readonly freshness: Freshness;
}

/** Content to fetch. */
export interface Wanted {
  readonly reference: Reference;
  /** Content of the same repository instead of what the reference names. */
  readonly digest?: Digest;
  /** From the descriptor. Undefined: not known. */
  readonly mediaType?: string;
  /** First byte; above 0 only for content named by digest. */
  readonly offset: number;
  /** Most bytes. Undefined: to the end. */
  readonly length?: number;
  readonly asked: Asked;
}

export interface Fetched extends Resolution {
  /** Where the bytes start, and how many there are. */
  readonly offset: number;
  readonly length: number;
  /** The whole content was verified already. */
  readonly verified: boolean;
  /**
   * The bytes. Call at most once; ending the iteration early, even before its first step, releases them. `borrowed`: a
   * chunk is the caller's only until it asks for the next one.
   */
  open(borrowed?: boolean): Promise<AsyncIterable<Uint8Array>>;
}

/** Where content is pushed to, and as what. */
export interface PushTarget {
  /** With a tag: a manifest, to be tagged. With a digest: the descriptor's. */
  readonly reference: Reference;
  readonly descriptor: Descriptor;
  readonly kind: ContentKind;
  /** Where the bytes start: 0, or what `prepare` said. */
  readonly offset: number;
  /** Only with a tag. */
  readonly condition?: Condition;
}

/** What a write did (Receipt in the contract). */
export interface Receipt {
  readonly reference: Reference;
  readonly descriptor: Descriptor;
  readonly outcome: "created" | "existed" | "mounted";
  readonly previous?: Digest;
  /** How the condition was checked. Undefined: there was none. */
  readonly check?: "atomic";
  readonly subject?: Digest;
}

export type Presence =
  | { readonly digest: Digest; readonly presence: "present" | "mounted" }
  | { readonly digest: Digest; readonly presence: "missing"; readonly offset: number };

export interface Prepared {
  readonly states: readonly Presence[];
  /** What is present or mounted stays until then. */
  readonly heldUntil: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page goes on. Undefined: this was the last. */
  readonly next?: string;
  readonly freshness: Freshness;
}

export interface TagsWanted {
  readonly repository: Reference;
  readonly after: string;
  readonly limit: number;
  readonly prefix: string;
  readonly omitDigestTags: boolean;
}

export interface ReferrersWanted {
  readonly reference: Reference;
  readonly artifactTypes: readonly string[];
  readonly after: string;
  readonly limit: number;
}

export interface ReferrersPage extends Page<Referrer> {
  readonly subject: Digest;
}

export interface RemovalWanted {
  /** With a tag or a digest, not both. */
  readonly reference: Reference;
  readonly kind: ContentKind;
  /** Only with a tag. */
  readonly condition?: Condition;
  readonly dryRun: boolean;
}

export interface Removed {
  readonly digest: Digest;
  readonly tags: readonly string[];
  readonly namedBy: readonly Digest[];
}

export interface Resolver {
  /** What a reference names now. TAG_UNKNOWN, REPOSITORY_UNKNOWN, CONTENT_UNKNOWN. */
  resolve(reference: Reference, asked: Asked, call: Call): Promise<Resolution>;
}

export interface Fetcher {
  /** Content, not yet read. As `resolve`, and RANGE_INVALID, STORE_CORRUPT. */
  fetch(wanted: Wanted, call: Call): Promise<Fetched>;
}

export interface Pusher {
  /** What a repository still needs; mounts what it can from `mountFrom`, which the caller may read. */
  prepare(
    repository: Reference,
    descriptors: readonly Descriptor[],
    mountFrom: readonly Reference[],
    call: Call,
  ): Promise<Prepared>;
  /**
   * Stores content. `source` is read only if the content is needed. A source that ends or fails early leaves a blob's
   * upload to be resumed by the same caller; wrong bytes leave nothing. Pushes of one digest to one repository queue.
   */
  push(target: PushTarget, source: AsyncIterable<Uint8Array>, call: Call): Promise<Receipt>;
}

export interface TagKeeper {
  setTag(reference: Reference, digest: Digest, condition: Condition | undefined, call: Call): Promise<Receipt>;
  listTags(wanted: TagsWanted, call: Call): Promise<Page<TagEntry>>;
}

export interface ReferrerLister {
  listReferrers(wanted: ReferrersWanted, call: Call): Promise<ReferrersPage>;
}

export interface ContentRemover {
  /** Removes a tag or content. TAG_UNKNOWN, REPOSITORY_UNKNOWN, CONTENT_UNKNOWN, TAG_CHANGED. */
  remove(wanted: RemovalWanted, call: Call): Promise<Removed>;
}

/** A registry as the services see it. Rights were checked before any of its calls (router.ts). */
export interface Registry extends Resolver, Fetcher, Pusher, TagKeeper, ReferrerLister, ContentRemover {}
