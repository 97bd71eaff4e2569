import { createHash } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { type ContentService, Presence } from "../../src/gen/descry/v1/content_service_pb.ts";
import { ConditionCheck, type ContentDescriptor, Outcome, ServedBy } from "../../src/gen/descry/v1/types_pb.ts";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";

/** An error as a descry server sends it (proto/descry/v1/errors.proto). */
export function wireError(
  code: Code,
  reason: string,
  message: string,
  metadata: Record<string, string> = {},
): ConnectError {
  const detail = { desc: ErrorInfoSchema, value: { domain: "descry", reason, metadata } };
  return new ConnectError(message, code, undefined, [detail]);
}

/** sha256 by Node, not by descry. */
export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

interface Kept {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What a server behind the contract keeps, to be looked at and tampered with by tests. */
export interface MemoryRegistry {
  /** By `repository@digest`. */
  readonly content: Map<string, Kept>;
  /** Digest by `repository:tag`. */
  readonly tags: Map<string, string>;
  /** Bytes of interrupted uploads by `repository@digest`. */
  readonly uploads: Map<string, Uint8Array>;
  readonly service: ServiceImpl<typeof ContentService>;
  /** Puts content in without a call; returns its digest. */
  seed(repository: string, bytes: Uint8Array, mediaType?: string, tag?: string): string;
}

/** Bytes of one message of a fetched stream. Small, so that a few KiB make several messages. */
export const FETCH_MESSAGE_BYTES = 16 * 1024;

/** A small, well-behaved implementation of the contract's happy paths, for tests of clients. */
export function createMemoryRegistry(): MemoryRegistry {
  const content = new Map<string, Kept>();
  const tags = new Map<string, string>();
  const uploads = new Map<string, Uint8Array>();
  const freshness = { observedAt: timestampFromMs(1_700_000_000_000), servedBy: ServedBy.STORE };

  const split = (ref: string) => {
    const [, repository = "", tag = "", digest = ""] = /^(.+?)(?::([^/:@]+))?(?:@(.+))?$/.exec(ref) ?? [];
    return { repository, tag, digest };
  };
  const find = (ref: string, byDigest = "") => {
    const { repository, tag, digest } = split(ref);
    const name = `${repository}:${tag === "" ? "latest" : tag}`;
    const wanted = byDigest || digest || tags.get(name);
    if (wanted === undefined)
      throw wireError(Code.NotFound, "TAG_UNKNOWN", `${name} is unknown`, { op: "Resolve", ref });
    const kept = content.get(`${repository}@${wanted}`);
    if (kept === undefined)
      throw wireError(Code.NotFound, "CONTENT_UNKNOWN", `${repository} has no ${wanted}`, { ref });
    const desc = { mediaType: kept.mediaType, digest: wanted, size: BigInt(kept.bytes.byteLength) };
    return { ref, desc, pinnedRef: `${repository}@${wanted}`, freshness, bytes: kept.bytes };
  };
  const store = (ref: string, desc: Pick<ContentDescriptor, "mediaType" | "digest" | "size">, bytes: Uint8Array) => {
    const { repository, tag } = split(ref);
    if (BigInt(bytes.byteLength) !== desc.size)
      throw wireError(Code.InvalidArgument, "SIZE_MISMATCH", `${bytes.byteLength} bytes instead of ${desc.size}`);
    if (sha256(bytes) !== desc.digest)
      throw wireError(Code.InvalidArgument, "DIGEST_MISMATCH", `not ${desc.digest}`, { actual_digest: sha256(bytes) });
    const key = `${repository}@${desc.digest}`;
    const outcome = content.has(key) ? Outcome.EXISTED : Outcome.CREATED;
    content.set(key, { mediaType: desc.mediaType, bytes });
    const previousDigest = tags.get(`${repository}:${tag}`) ?? "";
    if (tag !== "") tags.set(`${repository}:${tag}`, desc.digest);
    return { receipt: { ref, desc, pinnedRef: key, outcome, previousDigest } };
  };

  const service: ServiceImpl<typeof ContentService> = {
    resolve: ({ ref }) => find(ref),
    fetch: ({ ref, digest, offset, length }) => {
      const { bytes, ...answer } = find(ref, digest);
      const end = length === 0n ? bytes.byteLength : Number(offset + length);
      return { ...answer, offset, data: bytes.slice(Number(offset), end), verified: true };
    },
    async *fetchStream({ ref, digest, offset, length }) {
      const { bytes, ...header } = find(ref, digest);
      yield { part: { case: "header" as const, value: { ...header, verified: true } }, offset };
      const end = length === 0n ? bytes.byteLength : Math.min(bytes.byteLength, Number(offset + length));
      for (let at = Number(offset); at < end; at += FETCH_MESSAGE_BYTES) {
        const value = bytes.slice(at, Math.min(end, at + FETCH_MESSAGE_BYTES));
        yield { part: { case: "data" as const, value }, offset: BigInt(at) };
      }
    },
    preparePush: ({ repository, descs }) => ({
      states: descs.map(({ digest }) => {
        const key = `${repository}@${digest}`;
        if (content.has(key)) return { digest, presence: Presence.PRESENT };
        return { digest, presence: Presence.MISSING, offset: BigInt(uploads.get(key)?.byteLength ?? 0) };
      }),
      heldUntil: timestampFromMs(1_700_086_400_000),
    }),
    push: ({ ref, desc, data }) => {
      if (desc === undefined) throw wireError(Code.InvalidArgument, "FIELD_INVALID", "desc: is required");
      return store(ref, desc, data);
    },
    pushStream: async (messages) => {
      const iterator = messages[Symbol.asyncIterator]();
      const first = await iterator.next();
      if (first.done === true || first.value.part.case !== "header")
        throw wireError(Code.InvalidArgument, "FIELD_INVALID", "the first message is no header");
      const { ref, desc, offset } = first.value.part.value;
      if (desc === undefined) throw wireError(Code.InvalidArgument, "FIELD_INVALID", "desc: is required");
      const key = `${split(ref).repository}@${desc.digest}`;
      const there = content.get(key);
      if (there !== undefined) return store(ref, desc, there.bytes);
      let bytes = uploads.get(key) ?? new Uint8Array();
      if (offset === 0n) bytes = new Uint8Array();
      if (BigInt(bytes.byteLength) !== offset)
        throw wireError(Code.Aborted, "OFFSET_MISMATCH", "wrong offset", { offset: String(bytes.byteLength) });
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
        if (next.value.part.case !== "data") continue;
        bytes = Buffer.concat([bytes, next.value.part.value]);
        uploads.set(key, bytes);
      }
      uploads.delete(key);
      return store(ref, desc, bytes);
    },
    async *copy({ sourceRef, targetRef }) {
      const { desc, bytes } = find(sourceRef);
      yield { part: { case: "progress" as const, value: { desc, state: 2, offset: 1n } } };
      yield { part: { case: "receipt" as const, value: store(targetRef, desc, bytes).receipt } };
    },
    setTag: ({ ref, digest, ifCurrent }) => {
      const { repository, tag } = split(ref);
      const { desc, pinnedRef } = find(`${repository}@${digest}`);
      const previousDigest = tags.get(`${repository}:${tag}`) ?? "";
      if (ifCurrent?.absent === true && previousDigest !== "" && previousDigest !== digest)
        throw wireError(Code.Aborted, "TAG_CHANGED", `${ref} exists`, { current_digest: previousDigest });
      tags.set(`${repository}:${tag}`, digest);
      const conditionCheck = ifCurrent === undefined ? ConditionCheck.UNSPECIFIED : ConditionCheck.ATOMIC;
      return { receipt: { ref, desc, pinnedRef, outcome: Outcome.CREATED, previousDigest, conditionCheck } };
    },
    listTags: ({ repository, pageSize, pageToken, prefix }) => {
      const names = [...tags.keys()]
        .filter((name) => name.startsWith(`${repository}:${prefix}`))
        .map((name) => name.slice(repository.length + 1))
        .toSorted();
      const start = pageToken === "" ? 0 : Number(pageToken);
      const end = start + (pageSize === 0 ? 1000 : pageSize);
      return {
        tags: names.slice(start, end).map((name) => ({ name, digest: tags.get(`${repository}:${name}`) ?? "" })),
        nextPageToken: end < names.length ? String(end) : "",
        freshness,
      };
    },
    listReferrers: ({ ref, artifactTypes }) => {
      const { repository } = split(ref);
      const subject = find(ref).desc.digest;
      const referrers = [...content].flatMap(([key, { bytes, mediaType }]) => {
        if (!key.startsWith(`${repository}@`) || !mediaType.endsWith("manifest.v1+json")) return [];
        const manifest: { subject?: { digest: string }; artifactType?: string } = JSON.parse(
          new TextDecoder().decode(bytes),
        );
        const { artifactType = "" } = manifest;
        if (manifest.subject?.digest !== subject) return [];
        if (artifactTypes.length > 0 && !artifactTypes.includes(artifactType)) return [];
        const digest = key.slice(repository.length + 1);
        return [{ mediaType, digest, size: BigInt(bytes.byteLength), artifactType }];
      });
      return { referrers, subjectDigest: subject, source: 1, freshness };
    },
    delete: ({ ref, validateOnly, allowMissing }) => {
      const { repository, tag, digest } = split(ref);
      const gone = tag === "" ? digest : tags.get(`${repository}:${tag}`);
      if (gone === undefined || !content.has(`${repository}@${gone}`)) {
        if (allowMissing) return { ref };
        throw wireError(Code.NotFound, "TAG_UNKNOWN", `${ref} is unknown`, { op: "Delete", ref });
      }
      const named = [...tags]
        .filter(([name, to]) => name.startsWith(`${repository}:`) && to === gone)
        .map(([name]) => name);
      const removed = tag === "" ? named : [`${repository}:${tag}`];
      if (!validateOnly) {
        for (const name of removed) tags.delete(name);
        if (tag === "") content.delete(`${repository}@${gone}`);
      }
      return {
        ref,
        deleted: true,
        digest: gone,
        tags: tag === "" ? removed.map((name) => name.slice(repository.length + 1)) : [],
      };
    },
  };
  return {
    content,
    tags,
    uploads,
    service,
    seed: (repository, bytes, mediaType = "application/octet-stream", tag) => {
      const digest = sha256(bytes);
      content.set(`${repository}@${digest}`, { mediaType, bytes });
      if (tag !== undefined) tags.set(`${repository}:${tag}`, digest);
      return digest;
    },
  };
}
