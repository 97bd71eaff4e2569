import type { ContentKind } from "../../src/oci/descriptor.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { DescryError } from "../../src/oci/errors.ts";
import { type Manifest, requiredChildren } from "../../src/oci/manifest.ts";
import { isDigestTag } from "../../src/oci/reference.ts";
import { digestOf, Verifier } from "../../src/oci/verifier.ts";
import {
  CHUNK_BYTES,
  type Fault,
  type Incoming,
  REMOVAL_LIST_LIMIT,
  type Store,
  type Stored,
  type TagChange,
  type TagWrite,
  UNREFERENCED_GRACE_MS,
  UPLOAD_GRACE_MS,
} from "../../src/store/store.ts";

/** Bytes, each digest once. */
interface Kept {
  /** Undefined: lost. */
  bytes: Uint8Array | undefined;
  readonly size: number;
  readonly storedAt: number;
  corrupt: boolean;
}

/** Content of one repository. */
interface Entry {
  readonly digest: Digest;
  readonly kind: ContentKind;
  readonly mediaType: string;
  /** Undefined for a blob. */
  readonly manifest: Manifest | undefined;
  unreferencedSince: number;
}

interface Repository {
  /** By kind and digest. */
  readonly entries: Map<string, Entry>;
  readonly tags: Map<string, Digest>;
  readonly holds: Map<Digest, number>;
}

interface Parked {
  readonly bytes: Uint8Array;
  readonly touchedAt: number;
}

/** How bytes on a disk go bad. */
export type Damage = "flipped" | "truncated" | "lost";

export interface MemoryStore extends Store {
  /** What a failing disk does. */
  damage(digest: Digest, how: Damage): void;
}

/**
 * The store contract in maps, with no thought for speed: what other stores are compared with. It is as durable as its
 * process; nothing in it waits, so every call is atomic.
 */
export function createMemoryStore(clock: () => number): MemoryStore {
  const kept = new Map<Digest, Kept>();
  const repositories = new Map<string, Repository>();
  const parked = new Map<string, Parked>();
  /** Uploads under way, of each digest. */
  const writing: Digest[] = [];
  let leader: string | undefined;

  const repositoryOf = (name: string): Repository => {
    const there = repositories.get(name) ?? { entries: new Map(), tags: new Map(), holds: new Map() };
    repositories.set(name, there);
    return there;
  };
  const entryOf = (name: string, digest: Digest, kind?: ContentKind): Entry | undefined => {
    const entries = repositories.get(name)?.entries;
    const kinds: readonly ContentKind[] = kind === undefined ? ["manifest", "blob"] : [kind];
    return kinds.map((each) => entries?.get(`${each} ${digest}`)).find((entry) => entry !== undefined);
  };
  const storedOf = ({ digest, kind, mediaType, manifest }: Entry): Stored => {
    const { size, storedAt, corrupt } = keptOf(digest);
    const subject = manifest?.subject?.digest;
    return { digest, size, kind, mediaType, ...(subject === undefined ? {} : { subject }), storedAt, corrupt };
  };
  const keptOf = (digest: Digest): Kept => {
    const there = kept.get(digest);
    if (there === undefined) throw new Error(`the model lost ${digest}`);
    return there;
  };
  const manifestsNaming = (repository: Repository, digest: Digest): readonly Digest[] =>
    [...repository.entries.values()]
      .filter(({ manifest }) => manifest?.children.some((child) => child.digest === digest))
      .map((entry) => entry.digest)
      .sort();
  const isNeeded = (repository: Repository, { kind, digest, unreferencedSince }: Entry): boolean =>
    kind === "manifest" ||
    unreferencedSince > clock() - UNREFERENCED_GRACE_MS ||
    (repository.holds.get(digest) ?? 0) > clock() ||
    manifestsNaming(repository, digest).length > 0;
  const holders = (digest: Digest, isCounted: (repository: Repository, entry: Entry) => boolean): readonly string[] =>
    [...repositories]
      .filter(([, repository]) =>
        [...repository.entries.values()].some((entry) => entry.digest === digest && isCounted(repository, entry)),
      )
      .map(([name]) => name)
      .sort();
  const removable = (isCounted: (repository: Repository, entry: Entry) => boolean): readonly Digest[] =>
    [...kept.keys()].filter((digest) => !writing.includes(digest) && holders(digest, isCounted).length === 0);

  const checkCondition = ({ name, condition }: TagWrite, current: Digest | undefined): void => {
    if (condition === undefined) return;
    if (current === (condition === "absent" ? undefined : condition.digest)) return;
    throw new DescryError("TAG_CHANGED", `tag ${name}`, { metadata: { current_digest: current ?? "" } });
  };
  const writeTag = (repository: Repository, tag: TagWrite, digest: Digest): TagChange => {
    const previous = repository.tags.get(tag.name);
    if (previous !== digest) checkCondition(tag, previous);
    repository.tags.set(tag.name, digest);
    return previous === undefined ? {} : { previous };
  };
  const keyOf = ({ owner, repository, digest }: Incoming): string => `${owner} ${repository} ${digest}`;

  return {
    find: async (repository, digest, kind) => {
      const entry = entryOf(repository, digest, kind);
      return entry && storedOf(entry);
    },
    findTag: async (repository, tag) => {
      const digest = repositories.get(repository)?.tags.get(tag);
      const entry = digest && entryOf(repository, digest, "manifest");
      return entry && storedOf(entry);
    },
    hasRepository: async (repository) => repositories.has(repository),
    read: async ({ digest }, { offset, length }) => {
      const there = kept.get(digest);
      if (there === undefined) throw new DescryError("CONTENT_UNKNOWN", `${digest} was removed`);
      const bytes = there.corrupt ? undefined : there.bytes;
      if (bytes === undefined) throw new DescryError("STORE_CORRUPT", `${digest} is gone`);
      return chunksOf(bytes, offset, offset + length);
    },

    resumable: async (incoming) => parked.get(keyOf(incoming))?.bytes.byteLength ?? 0,
    upload: async (incoming, start) => {
      const { digest, size, repository: name } = incoming;
      const verifier = new Verifier({ digest, size }, "invalid_argument");
      const before = parked.get(keyOf(incoming))?.bytes ?? new Uint8Array();
      if (start !== 0 && start !== before.byteLength)
        throw new DescryError("OFFSET_MISMATCH", `${digest} stands at ${before.byteLength}`, {
          metadata: { offset: String(before.byteLength) },
        });
      parked.delete(keyOf(incoming));
      const bytes = Buffer.alloc(size);
      bytes.set(before.subarray(0, start));
      verifier.update(before.subarray(0, start));
      writing.push(digest);
      let failed = false;
      const end = (): void => void writing.splice(writing.indexOf(digest), 1);
      return {
        get offset() {
          return verifier.received;
        },
        write: async (chunk) => {
          const at = verifier.received;
          failed = true;
          verifier.update(chunk);
          failed = false;
          bytes.set(chunk, at);
        },
        commit: async (identity, tag) => {
          end();
          verifier.finish();
          const current = repositories.get(name)?.tags.get(tag?.name ?? "");
          if (identity.kind === "manifest") {
            const missing = requiredChildren(identity.manifest).find((child) => entryOf(name, child) === undefined);
            if (missing !== undefined) throw new DescryError("CHILD_MISSING", `push ${missing} first`);
          }
          if (tag !== undefined && current !== digest) checkCondition(tag, current);
          const repository = repositoryOf(name);
          kept.set(digest, { bytes, size, storedAt: clock(), corrupt: false });
          repository.entries.set(`${identity.kind} ${digest}`, {
            digest,
            kind: identity.kind,
            mediaType: identity.kind === "manifest" ? identity.manifest.mediaType : identity.mediaType,
            manifest: identity.kind === "manifest" ? identity.manifest : undefined,
            unreferencedSince: clock(),
          });
          return tag && writeTag(repository, tag, digest);
        },
        park: async () => {
          end();
          if (verifier.received > 0 && !failed)
            parked.set(keyOf(incoming), { bytes: bytes.subarray(0, verifier.received), touchedAt: clock() });
        },
        discard: async () => end(),
      };
    },
    mount: async (repository, from, digest) => {
      const source = entryOf(from, digest, "blob");
      if (source === undefined || keptOf(digest).corrupt) return false;
      repositoryOf(repository).entries.set(`blob ${digest}`, { ...source, unreferencedSince: clock() });
      return true;
    },
    hold: async (name, digests, until) => {
      const holds = repositories.get(name)?.holds;
      for (const digest of digests) holds?.set(digest, Math.max(until, holds.get(digest) ?? 0));
    },

    setTag: async (name, tag, digest) => {
      if (entryOf(name, digest, "manifest") === undefined) throw new DescryError("CONTENT_UNKNOWN", `no ${digest}`);
      return writeTag(repositoryOf(name), tag, digest);
    },
    listTags: async (name, { after, limit, prefix, omitDigestTags }) =>
      [...(repositories.get(name)?.tags ?? [])]
        .map(([name, digest]) => ({ name, digest }))
        .filter(({ name }) => name > after && name.startsWith(prefix) && !(omitDigestTags && isDigestTag(name)))
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .slice(0, limit),

    removeTag: async (name, tag, dryRun) => {
      const tags = repositories.get(name)?.tags;
      const digest = tags?.get(tag.name);
      if (digest === undefined) return undefined;
      checkCondition(tag, digest);
      if (!dryRun) tags?.delete(tag.name);
      return { digest, tags: [], namedBy: [] };
    },
    remove: async (name, digest, kind, dryRun) => {
      const repository = repositories.get(name);
      const entry = entryOf(name, digest, kind);
      if (repository === undefined || entry === undefined) return undefined;
      const isMine = ([, to]: readonly [string, Digest]): boolean => kind === "manifest" && to === digest;
      const tags = [...repository.tags]
        .filter(isMine)
        .map(([tag]) => tag)
        .sort();
      const namedBy = manifestsNaming(repository, digest);
      if (!dryRun) {
        repository.entries.delete(`${kind} ${digest}`);
        for (const tag of tags) repository.tags.delete(tag);
        for (const child of entry.manifest?.children ?? []) {
          const blob = repository.entries.get(`blob ${child.digest}`);
          if (blob !== undefined) blob.unreferencedSince = clock();
        }
      }
      return { digest, tags: tags.slice(0, REMOVAL_LIST_LIMIT), namedBy: namedBy.slice(0, REMOVAL_LIST_LIMIT) };
    },

    listReferrers: async (name, subject, { after, limit, artifactTypes }) =>
      [...(repositories.get(name)?.entries.values() ?? [])]
        .flatMap(({ digest, manifest }) => (manifest?.subject?.digest === subject ? [{ digest, manifest }] : []))
        .filter(({ digest }) => digest > after)
        .filter(({ manifest: { artifactType = "" } }) => !artifactTypes.length || artifactTypes.includes(artifactType))
        .sort((a, b) => (a.digest < b.digest ? -1 : 1))
        .slice(0, limit)
        .map(({ digest, manifest: { mediaType, artifactType, annotations } }) => ({
          digest,
          size: keptOf(digest).size,
          mediaType,
          ...(artifactType === undefined ? {} : { artifactType }),
          ...(annotations === undefined ? {} : { annotations }),
        })),

    usage: async () => {
      const all = [...repositories.values()];
      const count = (kind: ContentKind): number =>
        all.flatMap(({ entries }) => [...entries.values()]).filter((entry) => entry.kind === kind).length;
      const bytes = (digests: Iterable<Digest>): number =>
        [...digests].reduce((sum, digest) => sum + keptOf(digest).size, 0);
      return {
        repositories: all.length,
        tags: all.reduce((sum, { tags }) => sum + tags.size, 0),
        manifests: count("manifest"),
        blobs: count("blob"),
        contentBytes: bytes(kept.keys()),
        reclaimableBytes: bytes(removable(isNeeded)),
        uploads: writing.length + parked.size,
        uploadBytes: [...parked.values()].reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
        quarantined: [...kept.values()].filter(({ corrupt }) => corrupt).length,
      };
    },
    recover: async () => {},
    collect: async (signal) => {
      signal?.throwIfAborted();
      const old = [...parked].filter(([, { touchedAt }]) => touchedAt <= clock() - UPLOAD_GRACE_MS);
      for (const [key] of old) parked.delete(key);
      for (const repository of repositories.values()) {
        for (const [key, entry] of repository.entries) if (!isNeeded(repository, entry)) repository.entries.delete(key);
        for (const [digest, until] of repository.holds) if (until <= clock()) repository.holds.delete(digest);
      }
      const gone = removable(() => true);
      const bytes = gone.reduce((sum, digest) => sum + keptOf(digest).size, 0);
      for (const digest of gone) kept.delete(digest);
      return { blobs: gone.length, bytes, uploads: old.length };
    },
    check: async (signal) => {
      signal?.throwIfAborted();
      const faults = [...kept]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([digest, there]): readonly Fault[] => {
          const problem = there.corrupt ? "quarantined" : problemOf(digest, there);
          if (problem === undefined) return [];
          there.corrupt = true;
          return [{ digest, problem, repositories: holders(digest, () => true) }];
        });
      return { blobs: kept.size, bytes: [...kept.values()].reduce((sum, { size }) => sum + size, 0), faults };
    },
    lead: async (address) => {
      if (leader !== undefined)
        throw new DescryError(undefined, `served already, at ${leader}`, { code: "failed_precondition" });
      leader = address;
      return async () => void (leader = undefined);
    },
    close: async () => {},

    damage: (digest, how) => {
      const there = keptOf(digest);
      there.bytes = how === "lost" ? undefined : there.bytes?.slice(0, how === "truncated" ? -1 : undefined);
      if (how === "flipped" && there.bytes !== undefined) there.bytes[0] = 0xff & ~(there.bytes[0] ?? 0);
    },
  };
}

function problemOf(digest: Digest, { bytes, size }: Kept): Fault["problem"] | undefined {
  if (bytes === undefined) return "missing";
  if (bytes.byteLength !== size) return "size";
  return digestOf(bytes, digest.startsWith("sha512:") ? "sha512" : "sha256") === digest ? undefined : "digest";
}

async function* chunksOf(bytes: Uint8Array, from: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = from; at < end; at += CHUNK_BYTES) {
    const to = Math.min(end, at + CHUNK_BYTES);
    if (to > bytes.byteLength) throw new DescryError("STORE_CORRUPT", `bytes end at ${bytes.byteLength}`);
    yield bytes.slice(at, to);
  }
}
