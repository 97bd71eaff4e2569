import type { ConnectRouter } from "@connectrpc/connect";
import type { Content } from "../../content/router.ts";
import { ContentService } from "../../gen/descry/v1/content_service_pb.ts";
import { copy } from "./copy.ts";
import { listReferrers, listTags } from "./lists.ts";
import { preparePush, push, pushStream } from "./push.ts";
import { fetch, fetchStream, resolve } from "./read.ts";
import { remove } from "./remove.ts";
import { setTag } from "./set-tag.ts";

/** Blobs are compressed already: the byte streams spend nothing on it, even where a client asks. */
const uncompressed = { acceptCompression: [] };

/** ContentService over the content room: messages to values and back, no logic of its own. */
export function contentRoutes(content: Content): (router: ConnectRouter) => void {
  const { method } = ContentService;
  return (router) => {
    router
      .service(ContentService, {
        resolve: (request, context) => resolve(content, request, context),
        fetch: (request, context) => fetch(content, request, context),
        preparePush: (request, context) => preparePush(content, request, context),
        push: (request, context) => push(content, request, context),
        copy: (request, context) => copy(content, request, context),
        setTag: (request, context) => setTag(content, request, context),
        listTags: (request, context) => listTags(content, request, context),
        listReferrers: (request, context) => listReferrers(content, request, context),
        delete: (request, context) => remove(content, request, context),
      })
      // Named again: of two handlers for one path the later one answers.
      .rpc(method.fetchStream, (request, context) => fetchStream(content, request, context), uncompressed)
      .rpc(method.pushStream, (messages, context) => pushStream(content, messages, context), uncompressed);
  };
}
