import type { HandlerContext } from "@connectrpc/connect";
import type { Digest } from "../../oci/digest.ts";
import { callerKey } from "../context.ts";

/** A year: the longest that HTTP caches take (RFC 9111 has no word for "for ever"). */
const IMMUTABLE = "max-age=31536000, immutable";
/** Kept, but asked again each time: cheap, because the answer is 304 while the tag stays. */
const REVALIDATE = "max-age=0, must-revalidate";

/** What answers may depend on besides the URL; Accept-Encoding is the handler's business. */
const VARY = "Authorization, X-Registry-Auth, X-Registry-Config";

/**
 * Tells HTTP caches what an answer to a Connect GET is good for. The ETag is weak: freshness differs between equal
 * answers. A list has no digest, hence none.
 */
export function setCaching(context: HandlerContext, digest?: Digest, immutable = false): void {
  if (context.requestMethod !== "GET") return;
  const { requestHeader: asked, responseHeader: header, values } = context;
  const anonymous = values.get(callerKey).anonymous && !asked.has("X-Registry-Auth") && !asked.has("X-Registry-Config");
  if (digest !== undefined) header.set("ETag", `W/"${digest}"`);
  header.set("Cache-Control", `${anonymous ? "" : "private, "}${immutable ? IMMUTABLE : REVALIDATE}`);
  header.set("Vary", VARY);
}
