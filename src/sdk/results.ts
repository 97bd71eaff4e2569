import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";

/** How far an answer can be trusted to be current. */
export interface Freshness {
  /** When the registry that owns it confirmed it last; for content by digest, when its bytes were verified. */
  readonly observedAt: Date;
  /** The registry could not be asked and an older answer is given. */
  readonly stale: boolean;
  readonly servedBy: "unknown" | "store" | "cache" | "mirror" | "registry" | "pin";
  /** host[:port] that confirmed it. Empty for descry.local. */
  readonly host: string;
  /** The server asks no registry again before this time. Undefined: immutable. */
  readonly freshUntil?: Date;
}

/** What a reference names. */
export interface Resolution {
  /** Canonical reference, tag and digest as asked. */
  readonly ref: string;
  /** The root: an index, a manifest, or whatever has the digest asked for. */
  readonly desc: Descriptor;
  /** repository@digest. */
  readonly pinnedRef: string;
  readonly freshness: Freshness;
}

/** Content, or a slice of it. */
export interface Fetched extends Resolution {
  /** First byte of `data` within the content. */
  readonly offset: number;
  readonly data: Uint8Array;
  /** The whole content matched its digest: checked here, or by the server for a slice. */
  readonly verified: boolean;
}

/** Content that streams in. */
export interface FetchedStream extends Resolution {
  /** The server had verified the whole content before it sent the first byte. */
  readonly verified: boolean;
  /**
   * The bytes, in order; to be read once. Whole content is verified here: the last chunk comes only when size and
   * digest matched, else SIZE_MISMATCH or DIGEST_MISMATCH (code data_loss). Leaving the loop cancels the call.
   */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Cancels the call, for a stream whose bytes are not read. */
  readonly cancel: () => void;
}

/** Answer of every write. */
export interface Receipt {
  /** Canonical reference written to, with the tag if one was set. */
  readonly ref: string;
  readonly desc: Descriptor;
  /** repository@digest. */
  readonly pinnedRef: string;
  readonly outcome: "unknown" | "created" | "existed" | "mounted";
  /** What the tag pointed to before. */
  readonly previousDigest?: Digest;
  /** How a condition was checked: as one step with the write, or just before it. Undefined: there was none. */
  readonly conditionCheck?: "atomic" | "best-effort";
  /** Subject of the manifest written. */
  readonly subjectDigest?: Digest;
}

/** What a repository still needs of one piece of content. */
export interface PushState {
  readonly digest: Digest;
  readonly presence: "present" | "mounted" | "missing";
  /** Missing: first byte to send. */
  readonly offset: number;
}

export interface Prepared {
  /** One for each descriptor, in their order. */
  readonly states: readonly PushState[];
  /** descry.local keeps what is present or mounted at least until then. Undefined: no promise. */
  readonly heldUntil?: Date;
}

export interface Tag {
  readonly name: string;
  /** What it points to, where that is known without asking for each tag. */
  readonly digest?: Digest;
  /** When `digest` was seen. */
  readonly observedAt?: Date;
}

export interface TagPage {
  readonly tags: readonly Tag[];
  /** Token of the next page. Undefined: this was the last. */
  readonly nextPageToken?: string;
  readonly freshness: Freshness;
}

export interface ReferrerPage {
  /** Descriptors with artifact type and annotations. */
  readonly referrers: readonly Descriptor[];
  /** Token of the next page. Undefined: this was the last. */
  readonly nextPageToken?: string;
  /** The subject that was looked up. */
  readonly subjectDigest: Digest;
  readonly source: "unknown" | "api" | "fallback-tag";
  readonly freshness: Freshness;
}

/** What a delete removed, or with validateOnly would remove. */
export interface Deletion {
  readonly ref: string;
  /** False only with allowMissing. */
  readonly deleted: boolean;
  /** The content that is gone, or what the tag pointed to. Undefined: nothing was there. */
  readonly digest?: Digest;
  /** Tags that went with a manifest, as far as the registry tells; at most 1000. */
  readonly tags: readonly string[];
  /** Manifests that name what was removed and now miss it; at most 1000. */
  readonly namedBy: readonly Digest[];
}

/** A message of a running copy. */
export interface CopyProgress {
  readonly desc: Descriptor;
  readonly state: "unknown" | "waiting" | "running" | "committing" | "done" | "existed" | "mounted";
  /** Bytes done, from the start of the content. */
  readonly offset: number;
  /** While waiting for a registry's rate limit: when it goes on. */
  readonly waitsUntil?: Date;
}

/** What a tag must be for a write to happen. */
export type TagCondition = { readonly digest: string } | { readonly absent: true };
