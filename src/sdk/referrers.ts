import { ReferrersSource } from "../gen/descry/v1/content_service_pb.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { ask, type Context } from "./call.ts";
import type { CallOptions } from "./options.ts";
import type { ReferrerPage } from "./results.ts";
import type { PageOptions } from "./tags.ts";
import { descriptorFromWire, digestFromWire, freshnessFromWire, maxAgeToWire } from "./values.ts";

export interface ListReferrersOptions extends CallOptions {
  /** Only these artifact types, up to 16. */
  readonly artifactTypes?: readonly string[];
  /** Most referrers of one page. Default 100, at most 1000. */
  readonly pageSize?: number;
  /** Milliseconds: the oldest list to take. */
  readonly maxAgeMs?: number;
}

const sources: Readonly<Record<number, ReferrerPage["source"]>> = {
  [ReferrersSource.API]: "api",
  [ReferrersSource.FALLBACK_TAG]: "fallback-tag",
};

export async function listReferrersPage(
  context: Context,
  ref: string,
  options: ListReferrersOptions & PageOptions = {},
): Promise<ReferrerPage> {
  const { artifactTypes = [], pageSize = 0, pageToken = "" } = options;
  const fields = { ref, artifactTypes: [...artifactTypes], pageSize, pageToken, ...maxAgeToWire(options.maxAgeMs) };
  const answer = await ask(context, options, (request) => context.wire.listReferrers(fields, request));
  return {
    referrers: answer.referrers.map((desc) => descriptorFromWire(desc)),
    ...(answer.nextPageToken === "" ? {} : { nextPageToken: answer.nextPageToken }),
    subjectDigest: digestFromWire(answer.subjectDigest),
    source: sources[answer.source] ?? "unknown",
    freshness: freshnessFromWire(answer.freshness),
  };
}

/** All manifests whose subject is the given one, page by page as they are read. */
export async function* listReferrers(
  context: Context,
  ref: string,
  options: ListReferrersOptions = {},
): AsyncGenerator<Descriptor, void, undefined> {
  for (let page: PageOptions | undefined = {}; page !== undefined;) {
    const { referrers, nextPageToken }: ReferrerPage = await listReferrersPage(context, ref, { ...options, ...page });
    yield* referrers;
    page = nextPageToken === undefined ? undefined : { pageToken: nextPageToken };
  }
}
