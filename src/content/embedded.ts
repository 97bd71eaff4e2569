import { DescryError } from "../oci/errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Reference, formatReference, repositoryOf, withDefaultTag } from "../oci/reference.ts";
import type { Condition, Referrer, Store, Stored, TagWrite } from "../store/store.ts";
import { createEmbeddedPusher } from "./embedded-push.ts";
import type { Freshness, Registry } from "./registry.ts";

/**
 * Manifests, in bytes, after which a page of referrers ends early: annotations are most of a manifest at worst, and a
 * thousand of 4 MiB each must not come into memory together.
 */
const REFERRERS_BYTES: number = 8 * 1024 * 1024;
/** Referrers asked of the store at a time: as many more may come into memory as one such batch holds. */
const REFERRERS_BATCH = 8;

/** The registry descry.local, kept in a store. `clock` gives milliseconds since 1970. */
export function createEmbeddedRegistry(store: Store, clock: () => number): Registry {
  return {
    ...createEmbeddedPusher(store, clock),
    resolve: async (asked) => {
      const reference = withDefaultTag(asked);
      const stored = await locate(reference);
      return { reference, descriptor: descriptorOf(stored), freshness: freshnessOf(reference, stored) };
    },
    fetch: async (wanted) => {
      const { host, path } = wanted.reference;
      const reference =
        wanted.digest === undefined ? withDefaultTag(wanted.reference) : { host, path, digest: wanted.digest };
      const stored = await locate(reference);
      const { offset } = wanted;
      if (offset > stored.size)
        throw new DescryError("RANGE_INVALID", `offset ${offset} lies beyond the ${stored.size} bytes of the content`, {
          digest: stored.digest,
          metadata: { size: String(stored.size) },
        });
      if (stored.corrupt)
        throw new DescryError("STORE_CORRUPT", `the bytes of ${stored.digest} went bad; push them again`, {
          digest: stored.digest,
          side: "store",
        });
      const length = Math.min(wanted.length ?? stored.size, stored.size - offset);
      return {
        reference,
        descriptor: { ...descriptorOf(stored), mediaType: wanted.mediaType ?? stored.mediaType },
        freshness: freshnessOf(reference, stored),
        offset,
        length,
        verified: true,
        open: (borrowed) => store.read(stored, { offset, length }, borrowed),
      };
    },
    setTag: async (reference, digest, condition) => {
      const { tag } = reference;
      if (tag === undefined) throw new Error(`setTag without a tag: ${formatReference(reference)}`);
      const { host, path } = reference;
      const stored = (await store.find(path, digest, "manifest")) ?? (await unknown({ host, path, digest }));
      const { subject } = stored;
      const { previous } = await store.setTag(path, tagWrite(tag, condition), digest);
      return {
        reference,
        descriptor: descriptorOf(stored),
        outcome: previous === digest ? "existed" : "created",
        ...(previous === undefined ? {} : { previous }),
        ...(condition === undefined ? {} : { check: "atomic" }),
        ...(subject === undefined ? {} : { subject }),
      };
    },
    listTags: async ({ repository, after, limit, prefix, omitDigestTags }) => {
      await requireRepository(repository);
      const items = await store.listTags(repository.path, { after, limit: limit + 1, prefix, omitDigestTags });
      return { ...page(items, limit, ({ name }) => name), freshness: listFreshness() };
    },
    listReferrers: async ({ reference, after, limit, artifactTypes }) => {
      const subject = reference.digest ?? (await locate(withDefaultTag(reference))).digest;
      const items: Referrer[] = [];
      let bytes = 0;
      for (let last = after; items.length <= limit && bytes <= REFERRERS_BYTES; last = items.at(-1)?.digest ?? last) {
        const asked = Math.min(REFERRERS_BATCH, limit + 1 - items.length);
        const batch = await store.listReferrers(reference.path, subject, { after: last, limit: asked, artifactTypes });
        items.push(...batch);
        bytes = batch.reduce((sum, { size }) => sum + size, bytes);
        if (batch.length < asked) return { items, subject, freshness: listFreshness() };
      }
      // There may be more, even if the page is not full.
      const shown = items.slice(0, limit);
      const end = shown.at(-1);
      return { items: shown, ...(end && { next: end.digest }), subject, freshness: listFreshness() };
    },
    remove: async ({ reference, kind, condition, dryRun }) => {
      const { path, tag, digest } = reference;
      const removed =
        digest === undefined
          ? await store.removeTag(path, tagWrite(tag ?? "", condition), dryRun)
          : await store.remove(path, digest, kind, dryRun);
      return removed ?? (await unknown(reference));
    },
  };

  async function locate(reference: Reference): Promise<Stored> {
    const { path, tag, digest } = reference;
    const stored = digest === undefined ? await store.findTag(path, tag ?? "") : await store.find(path, digest);
    return stored ?? (await unknown(reference));
  }

  /** Throws what a reference that names nothing deserves. */
  async function unknown(reference: Reference): Promise<never> {
    await requireRepository(reference);
    const { tag, digest } = reference;
    const name = repositoryOf(reference);
    throw digest === undefined
      ? new DescryError("TAG_UNKNOWN", `${name} has no tag ${tag ?? ""}`, { ref: formatReference(reference) })
      : new DescryError("CONTENT_UNKNOWN", `${name} has no content ${digest}`, {
          ref: formatReference(reference),
          digest,
        });
  }

  async function requireRepository(reference: Reference): Promise<void> {
    if (await store.hasRepository(reference.path)) return;
    const name = repositoryOf(reference);
    throw new DescryError("REPOSITORY_UNKNOWN", `there is no repository ${name}; the first push makes it`, {
      ref: formatReference(reference),
    });
  }

  /** Content by digest never changes; a tag may the moment after. */
  function freshnessOf(reference: Reference, stored: Stored): Freshness {
    return reference.digest === undefined ? listFreshness() : { observedAt: stored.storedAt, servedBy: "store" };
  }

  function listFreshness(): Freshness {
    const now = clock();
    return { observedAt: now, servedBy: "store", freshUntil: now };
  }
}

function descriptorOf({ digest, size, mediaType }: Stored): Descriptor {
  return { mediaType, digest, size };
}

function tagWrite(name: string, condition: Condition | undefined): TagWrite {
  return condition === undefined ? { name } : { name, condition };
}

/** A page of a list that was asked for one item more than fits. */
function page<T>(items: readonly T[], limit: number, key: (item: T) => string): { items: readonly T[]; next?: string } {
  const shown = items.slice(0, limit);
  const last = shown.at(-1);
  return items.length > limit && last !== undefined ? { items: shown, next: key(last) } : { items: shown };
}
