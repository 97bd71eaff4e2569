import { createClient } from "@connectrpc/connect";
import { ContentService } from "../gen/descry/v1/content_service_pb.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { openChannel } from "#transport";
import type { Context } from "./call.ts";
import type { Channel } from "./channel.ts";
import { type Clock, systemClock } from "./clock.ts";
import { copy, type CopyOptions } from "./copy.ts";
import { type DeleteOptions, remove } from "./delete.ts";
import { fetch, type FetchOptions } from "./fetch.ts";
import { fetchStream, type FetchStreamOptions } from "./fetch-stream.ts";
import { clientHeaders } from "./headers.ts";
import type { ClientOptions, DescryOptions } from "./options.ts";
import { preparePush, type PreparePushOptions } from "./prepare-push.ts";
import { push } from "./push.ts";
import type { PushOptions } from "./push-options.ts";
import { listReferrers, type ListReferrersOptions, listReferrersPage } from "./referrers.ts";
import { resolve, type ResolveOptions } from "./resolve.ts";
import type {
  Deletion,
  Fetched,
  FetchedStream,
  Prepared,
  Receipt,
  ReferrerPage,
  Resolution,
  Tag,
  TagPage,
} from "./results.ts";
import type { ContentName, PushSource } from "./source.ts";
import { listTags, type ListTagsOptions, listTagsPage, type PageOptions, setTag, type SetTagOptions } from "./tags.ts";

/**
 * A descry server. Calls may run at the same time. Each fails with a DescryError, whose `reason` says what to do about
 * it; errors of a caller's own source or callback come through as they are.
 */
export interface Descry {
  /** What a reference names now: the root's descriptor, never a platform of it. */
  resolve(ref: string, options?: ResolveOptions): Promise<Resolution>;
  /** Content in one answer, up to 4 MiB (CONTENT_TOO_LARGE above), verified here when it is whole. */
  fetch(ref: string, options?: FetchOptions): Promise<Fetched>;
  /** Content of any size, verified here while it streams; goes on by itself after a broken connection. */
  fetchStream(ref: string, options?: FetchStreamOptions): Promise<FetchedStream>;
  /** What of some content a repository still needs, what it could mount, and where interrupted uploads go on. */
  preparePush(repository: string, descriptors: readonly ContentName[], options?: PreparePushOptions): Promise<Prepared>;
  /** Stores content, children before parents, and sets the tag if the reference has one. */
  push(ref: string, source: PushSource, options?: PushOptions): Promise<Receipt>;
  /** Copies one piece of content on the server's side. */
  copy(source: string, target: string, options?: CopyOptions): Promise<Receipt>;
  /** Points a tag at a manifest that its repository has. */
  setTag(ref: string, digest: string, options?: SetTagOptions): Promise<Receipt>;
  /** A repository's tags. */
  listTags(repository: string, options?: ListTagsOptions): AsyncIterable<Tag>;
  listTagsPage(repository: string, options?: ListTagsOptions & PageOptions): Promise<TagPage>;
  /** Manifests whose subject is the given one, one level. */
  listReferrers(ref: string, options?: ListReferrersOptions): AsyncIterable<Descriptor>;
  listReferrersPage(ref: string, options?: ListReferrersOptions & PageOptions): Promise<ReferrerPage>;
  /** Removes a tag, a manifest with its tags, or a blob. */
  delete(ref: string, options?: DeleteOptions): Promise<Deletion>;
  /** Closes its connections; running calls fail. A transport of your own stays open. */
  close(): void;
}

/** A client of the server at a URL, or behind a transport. Connects with the first call. */
export function createDescry(options: DescryOptions): Descry {
  const channel: Channel =
    "transport" in options
      ? { transport: options.transport, streamsRequests: true, splices: false, close: () => undefined }
      : openChannel(options.baseUrl);
  return descryOver(channel, options);
}

/** A client over a channel. */
export function descryOver(channel: Channel, options: ClientOptions, clock: Clock = systemClock): Descry {
  const context: Context = {
    wire: createClient(ContentService, channel.transport),
    streamsRequests: channel.streamsRequests,
    splices: channel.splices,
    headers: clientHeaders(options),
    timeoutMs: options.timeoutMs,
    signal: options.signal,
    resume: options.resume ?? {},
    clock,
  };
  return {
    resolve: (ref, call) => resolve(context, ref, call),
    fetch: (ref, call) => fetch(context, ref, call),
    fetchStream: (ref, call) => fetchStream(context, ref, call),
    preparePush: (repository, descriptors, call) => preparePush(context, repository, descriptors, call),
    push: (ref, source, call) => push(context, ref, source, call),
    copy: (source, target, call) => copy(context, source, target, call),
    setTag: (ref, digest, call) => setTag(context, ref, digest, call),
    listTags: (repository, call) => listTags(context, repository, call),
    listTagsPage: (repository, call) => listTagsPage(context, repository, call),
    listReferrers: (ref, call) => listReferrers(context, ref, call),
    listReferrersPage: (ref, call) => listReferrersPage(context, ref, call),
    delete: (ref, call) => remove(context, ref, call),
    close: () => channel.close(),
  };
}
