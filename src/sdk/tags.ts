import { ask, type Context } from "./call.ts";
import type { CallOptions } from "./options.ts";
import type { Receipt, Tag, TagCondition, TagPage } from "./results.ts";
import { conditionToWire, freshnessFromWire, maxAgeToWire, receiptFromWire, someDigest, someTime } from "./values.ts";

export interface SetTagOptions extends CallOptions {
  /** What the tag must be now. */
  readonly ifCurrent?: TagCondition;
}

/** Points `ref`, a reference with a tag, at a manifest that its repository has. */
export async function setTag(
  context: Context,
  ref: string,
  digest: string,
  options: SetTagOptions = {},
): Promise<Receipt> {
  const answer = await ask(context, options, (request) =>
    context.wire.setTag({ ref, digest, ...conditionToWire(options.ifCurrent) }, request),
  );
  return receiptFromWire(answer.receipt);
}

export interface ListTagsOptions extends CallOptions {
  /** Only tags that start so. */
  readonly prefix?: string;
  /** Leave out the tags that stand for a digest. */
  readonly omitDigestTags?: boolean;
  /** Most tags of one page. Default 1000, at most 10000. */
  readonly pageSize?: number;
  /** Milliseconds: the oldest list to take. */
  readonly maxAgeMs?: number;
}

export interface PageOptions {
  /** `nextPageToken` of the page before. Default: the first page. */
  readonly pageToken?: string;
}

export async function listTagsPage(
  context: Context,
  repository: string,
  options: ListTagsOptions & PageOptions = {},
): Promise<TagPage> {
  const { prefix = "", omitDigestTags = false, pageSize = 0, pageToken = "" } = options;
  const fields = { repository, prefix, omitDigestTags, pageSize, pageToken, ...maxAgeToWire(options.maxAgeMs) };
  const answer = await ask(context, options, (request) => context.wire.listTags(fields, request));
  return {
    tags: answer.tags.map(({ name, digest, observedAt }) => ({
      name,
      ...someDigest("digest", digest),
      ...someTime("observedAt", observedAt),
    })),
    ...(answer.nextPageToken === "" ? {} : { nextPageToken: answer.nextPageToken }),
    freshness: freshnessFromWire(answer.freshness),
  };
}

/** All tags, page by page as they are read. */
export async function* listTags(
  context: Context,
  repository: string,
  options: ListTagsOptions = {},
): AsyncGenerator<Tag, void, undefined> {
  for (let page: PageOptions | undefined = {}; page !== undefined;) {
    const { tags, nextPageToken }: TagPage = await listTagsPage(context, repository, { ...options, ...page });
    yield* tags;
    page = nextPageToken === undefined ? undefined : { pageToken: nextPageToken };
  }
}
