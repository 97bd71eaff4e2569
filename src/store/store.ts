import type { ContentKind } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";

/**
 * The store contract: content kept here, by repository. A repository is a path on descry.local, without the host.
 * Nothing in it names a file, and every call is async, so that an object store and a network database fit behind it.
 *
 * Promises of every store (test/suite/store.ts runs them against each):
 * - Bytes become visible only when their size and digest were verified, all at once, and only in the repository they
 *   were put into. The same bytes in two repositories are kept once; neither repository reveals the other.
 * - A write that was answered survives kill -9 and power loss. One that was not is either there as a whole or not.
 * - All calls may run concurrently, also from several processes on one store. Each is atomic; writes to one tag are
 *   ordered.
 * - Errors are DescryErrors: STORAGE_FULL, STORE_CORRUPT and those named below. Reads go on when the store is full.
 */
export interface Store extends ContentReader, Uploader, Tagger, Remover, Referrers, Upkeep {
  /** Waits for running calls' transactions and releases everything. The store is unusable afterwards. */
  close(): Promise<void>;
}

/** Content of a repository. */
export interface Stored {
  readonly digest: Digest;
  readonly size: number;
  readonly kind: ContentKind;
  /** As pushed; empty for a blob pushed without. */
  readonly mediaType: string;
  /** What a manifest is about, if it says. */
  readonly subject?: Digest;
  /** Milliseconds since 1970: when its bytes were verified. */
  readonly storedAt: number;
  /** The bytes went bad on disk and lie in quarantine; pushing them again heals it. */
  readonly corrupt: boolean;
}

/** A slice of content: `length` bytes from `offset`, both within the content. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

export interface ContentReader {
  /** Content of the repository; of manifests and blobs alike unless `kind` says which. */
  find(repository: string, digest: Digest, kind?: ContentKind): Promise<Stored | undefined>;
  /** What a tag points to. */
  findTag(repository: string, tag: string): Promise<Stored | undefined>;
  /** Whether the repository has any content or had: it exists from its first push. */
  hasRepository(repository: string): Promise<boolean>;
  /**
   * Bytes that `find` returned, in order, in chunks of at most CHUNK_BYTES. Once this has answered, the bytes stay
   * readable to the end, whatever is removed meanwhile. Ending the iteration early releases them. A chunk is the
   * caller's to keep, or, `borrowed`, only until the next one is asked for: memory that is used again costs no garbage
   * collection. Throws STORE_CORRUPT if they are gone or too short.
   */
  read(stored: Stored, range: Range, borrowed?: boolean): Promise<AsyncIterable<Uint8Array>>;
}

/** Largest chunk of a read, in bytes: that of a stream message in the contract (256 KiB). */
export const CHUNK_BYTES: number = 256 * 1024;

/** Content about to be put into a repository. */
export interface Incoming {
  readonly repository: string;
  readonly digest: Digest;
  readonly size: number;
  /** Who sends it: an interrupted upload is resumed only by the same owner. */
  readonly owner: string;
}

/** What the bytes are, in the repository they go to. */
export type Identity =
  { readonly kind: "blob"; readonly mediaType: string } | { readonly kind: "manifest"; readonly manifest: Manifest };

export interface Uploader {
  /** Bytes of an interrupted upload that are kept for its owner; 0 if none. */
  resumable(incoming: Incoming): Promise<number>;
  /**
   * Starts an upload at `offset`: 0 starts over, `resumable` goes on. Anything else is OFFSET_MISMATCH with the
   * right offset. Throws DIGEST_UNSUPPORTED. Uploads of one digest do not disturb each other: the first commit
   * wins and the others find it done.
   */
  upload(incoming: Incoming, offset: number): Promise<Upload>;
  /**
   * Makes content of `from` part of `repository` as well, without moving bytes. False if `from` does not have it as
   * a blob. Whether the caller may read `from` is for the caller of this to know.
   */
  mount(repository: string, from: string, digest: Digest): Promise<boolean>;
  /** Keeps blobs of a repository from being collected until a time (milliseconds since 1970), tagged or not. */
  hold(repository: string, digests: readonly Digest[], until: number): Promise<void>;
}

/** One upload. Exactly one of commit, park and discard ends it; a failed commit has discarded it. */
export interface Upload {
  /** Bytes here so far. */
  readonly offset: number;
  /**
   * Takes the next bytes, which are the store's from now on. SIZE_MISMATCH as soon as there are too many. A write that
   * fails may show at a later call.
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Verifies (SIZE_MISMATCH, DIGEST_MISMATCH), makes durable, then visible; with `tag`, content and tag in one step
   * or neither (TAG_CHANGED). A manifest whose required children the repository misses is CHILD_MISSING.
   */
  commit(identity: Identity, tag?: TagWrite): Promise<TagChange | undefined>;
  /** Keeps what came for a later upload by the same owner. */
  park(): Promise<void>;
  /** Forgets what came. */
  discard(): Promise<void>;
}

/** What a tag must be for a write to happen. */
export type Condition = { readonly digest: Digest } | "absent";

export interface TagWrite {
  readonly name: string;
  readonly condition?: Condition;
}

export interface TagChange {
  /** What it pointed to before. */
  readonly previous?: Digest;
}

export interface TagEntry {
  readonly name: string;
  readonly digest: Digest;
}

/** A page of a list sorted by name: what comes after `after`. */
export interface TagQuery {
  readonly after: string;
  readonly limit: number;
  readonly prefix: string;
  /** Leave out tags that stand for a digest (`isDigestTag`). */
  readonly omitDigestTags: boolean;
}

export interface Tagger {
  /**
   * Points a tag at a manifest of the repository (CONTENT_UNKNOWN if it is not there). TAG_CHANGED if the condition
   * does not hold; a tag that already points there fulfils every condition.
   */
  setTag(repository: string, tag: TagWrite, digest: Digest): Promise<TagChange>;
  /** Tags by name in byte order, at most `limit`. */
  listTags(repository: string, query: TagQuery): Promise<readonly TagEntry[]>;
}

export interface Removal {
  readonly digest: Digest;
  /** Tags that go with a manifest; at most REMOVAL_LIST_LIMIT. */
  readonly tags: readonly string[];
  /** Manifests that name it and then miss it; at most REMOVAL_LIST_LIMIT. */
  readonly namedBy: readonly Digest[];
}

/** Longest list in a Removal: keeps the answer far below 3 MiB. */
export const REMOVAL_LIST_LIMIT = 1000;

export interface Remover {
  /** Removes a tag alone. Undefined: there was none. TAG_CHANGED if the condition does not hold. */
  removeTag(repository: string, tag: TagWrite, dryRun: boolean): Promise<Removal | undefined>;
  /**
   * Removes a manifest with its tags, or a blob, from one repository. Undefined: it was not there. Bytes that no
   * repository has are collected later, blobs only a manifest named after their grace.
   */
  remove(repository: string, digest: Digest, kind: ContentKind, dryRun: boolean): Promise<Removal | undefined>;
}

export interface Referrer {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ReferrerQuery {
  readonly after: string;
  readonly limit: number;
  /** Empty: all. */
  readonly artifactTypes: readonly string[];
}

export interface Referrers {
  /** Manifests of the repository whose subject is `subject`, by digest in byte order, at most `limit`. */
  listReferrers(repository: string, subject: Digest, query: ReferrerQuery): Promise<readonly Referrer[]>;
}

/** Blobs that no manifest names are kept this long: an upload in several calls may still be under way. */
export const UNREFERENCED_GRACE_MS: number = 24 * 60 * 60 * 1000;
/** Interrupted uploads are kept this long for their owner. */
export const UPLOAD_GRACE_MS: number = 24 * 60 * 60 * 1000;

export interface Usage {
  readonly repositories: number;
  readonly tags: number;
  readonly manifests: number;
  readonly blobs: number;
  /** Bytes of content, each digest once. */
  readonly contentBytes: number;
  /** Bytes that `collect` would free now. */
  readonly reclaimableBytes: number;
  readonly uploads: number;
  readonly uploadBytes: number;
  readonly quarantined: number;
}

export interface Collected {
  readonly blobs: number;
  readonly bytes: number;
  readonly uploads: number;
}

/** One fault that a check found. */
export interface Fault {
  readonly digest: Digest;
  /**
   * The bytes do not match their digest, are of the wrong size, are not there, or the disk does not give them.
   * quarantined: an earlier check found one of these.
   */
  readonly problem: "digest" | "size" | "missing" | "unreadable" | "quarantined";
  /** Repositories that have the content. */
  readonly repositories: readonly string[];
}

export interface Checked {
  readonly blobs: number;
  readonly bytes: number;
  readonly faults: readonly Fault[];
}

export interface Upkeep {
  usage(): Promise<Usage>;
  /** Clears what processes that died left behind. Nothing of a living one is touched. */
  recover(): Promise<void>;
  /** Frees what nobody needs: see Remover, UNREFERENCED_GRACE_MS, UPLOAD_GRACE_MS, hold. Safe beside everything. */
  collect(signal?: AbortSignal): Promise<Collected>;
  /** Re-hashes all content and takes what is bad out of service (Stored.corrupt). */
  check(signal?: AbortSignal): Promise<Checked>;
  /**
   * Makes this process the one that does the background work, reachable at `address`, until the function it answers
   * is called or the process ends, however it ends. Throws with the leader's address if there is one.
   */
  lead(address: string): Promise<() => Promise<void>>;
}
