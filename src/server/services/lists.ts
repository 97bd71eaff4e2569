import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import type { ReferrerLister, TagKeeper } from "../../content/registry.ts";
import {
  type ListReferrersRequest,
  type ListReferrersResponseSchema,
  type ListTagsRequest,
  type ListTagsResponseSchema,
  ReferrersSource,
} from "../../gen/descry/v1/content_service_pb.ts";
import { formatReference, MAX_TAG_BYTES, repositoryOf } from "../../oci/reference.ts";
import { FieldReader, MAX_ARTIFACT_TYPE_BYTES } from "../validate.ts";
import { setCaching } from "./caching.ts";
import { callOf } from "./call.ts";
import { decodePageToken, encodePageToken } from "./page-token.ts";
import { descriptorToWire, freshnessToWire } from "./values.ts";

const DEFAULT_TAGS = 1000;
const MAX_TAGS = 10_000;
const DEFAULT_REFERRERS = 100;
const MAX_REFERRERS = 1000;
const MAX_ARTIFACT_TYPES = 16;
/** Longest page token, in bytes: base64 of a check and a tag or digest is far shorter. */
const MAX_PAGE_TOKEN_BYTES = 2048;

/**
 * Bytes of a page's entries as JSON, after which it ends early: with what surrounds them the answer stays below the
 * 3 MiB that the contract promises, so that clients keep gRPC's default limit of 4 MiB.
 */
const PAGE_BYTES: number = 2.5 * 1024 * 1024;
/** Most bytes of one referrer's annotations as JSON: a page has room for them, and for the rest of the descriptor. */
const MAX_ANNOTATION_BYTES: number = PAGE_BYTES - 2048;

export async function listTags(
  content: TagKeeper,
  request: ListTagsRequest,
  context: HandlerContext,
): Promise<MessageInitShape<typeof ListTagsResponseSchema>> {
  const fields = new FieldReader();
  const repository = fields.repository("repository", request.repository);
  const limit = fields.pageSize("page_size", request.pageSize, DEFAULT_TAGS, MAX_TAGS);
  const token = fields.text("page_token", request.pageToken, MAX_PAGE_TOKEN_BYTES);
  const prefix = fields.tagPrefix("prefix", fields.text("prefix", request.prefix, MAX_TAG_BYTES));
  fields.duration("max_age", request.maxAge);
  fields.done();
  const { omitDigestTags } = request;
  const query = ["tags", repositoryOf(repository), prefix, String(omitDigestTags)];
  const after = decodePageToken(query, token);
  const page = await content.listTags({ repository, after, limit, prefix, omitDigestTags }, callOf(context));
  const observedAt = timestampFromMs(page.freshness.observedAt);
  const tags = page.items.map(({ name, digest }) => ({ name, digest, observedAt }));
  const fitting = fit(tags, ({ name, digest }) => name.length + digest.length + TAG_ENTRY_BYTES);
  const next = fitting.length < tags.length ? fitting.at(-1)?.name : page.next;
  setCaching(context);
  return {
    tags: fitting,
    nextPageToken: next === undefined ? "" : encodePageToken(query, next),
    freshness: freshnessToWire(page.freshness),
  };
}

/** What JSON adds to a tag's name and digest: keys, quotes, a timestamp. */
const TAG_ENTRY_BYTES = 80;

export async function listReferrers(
  content: ReferrerLister,
  request: ListReferrersRequest,
  context: HandlerContext,
): Promise<MessageInitShape<typeof ListReferrersResponseSchema>> {
  const fields = new FieldReader();
  const reference = fields.reference("ref", request.ref);
  fields.count("artifact_types", request.artifactTypes, MAX_ARTIFACT_TYPES);
  const artifactTypes = request.artifactTypes.map((type, i) => {
    if (type === "") fields.violate(`artifact_types[${i}]`, "is empty");
    return fields.text(`artifact_types[${i}]`, type, MAX_ARTIFACT_TYPE_BYTES);
  });
  const limit = fields.pageSize("page_size", request.pageSize, DEFAULT_REFERRERS, MAX_REFERRERS);
  const token = fields.text("page_token", request.pageToken, MAX_PAGE_TOKEN_BYTES);
  fields.duration("max_age", request.maxAge);
  fields.done();
  const query = ["referrers", formatReference(reference), ...artifactTypes];
  const after = decodePageToken(query, token);
  const page = await content.listReferrers({ reference, artifactTypes, after, limit }, callOf(context));
  const referrers = page.items.map((referrer) => {
    const wire = descriptorToWire(referrer);
    // What fills an answer alone cannot be told in a list; the manifest itself has it.
    if (jsonBytes(wire.annotations ?? {}) > MAX_ANNOTATION_BYTES) delete wire.annotations;
    return wire;
  });
  const fitting = fit(referrers, (wire) => jsonBytes({ ...wire, size: String(wire.size) }));
  const next = fitting.length < referrers.length ? fitting.at(-1)?.digest : page.next;
  setCaching(context);
  return {
    referrers: fitting,
    nextPageToken: next === undefined ? "" : encodePageToken(query, next),
    subjectDigest: page.subject,
    source: ReferrersSource.API,
    freshness: freshnessToWire(page.freshness),
  };
}

/** Bytes of a value as JSON, not characters: an annotation may be in any script. */
function jsonBytes(value: object): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** The entries from the first that fit a page together; never none. */
function fit<T>(entries: readonly T[], bytesOf: (entry: T) => number): T[] {
  let bytes = 0;
  const end = entries.findIndex((entry) => (bytes += bytesOf(entry)) > PAGE_BYTES);
  return end === -1 ? [...entries] : entries.slice(0, Math.max(1, end));
}
