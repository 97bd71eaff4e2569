import type { UniversalServerResponse } from "@connectrpc/connect/protocol";

/** Headers of a 200 that describe the body a 304 does not have (RFC 9110 §15.4.5). */
const bodyHeaders = ["Content-Type", "Content-Length", "Content-Encoding"];

/**
 * 304 in place of a successful answer whose ETag the client has already (RFC 9110 §13.1.2). Connect knows ETags of no
 * kind, so that this is done on the finished answer.
 */
export function notModified(
  ifNoneMatch: string | undefined,
  response: UniversalServerResponse,
): UniversalServerResponse {
  const etag = response.header?.get("ETag");
  if (ifNoneMatch === undefined || response.status !== 200 || !etag || !matches(ifNoneMatch, etag)) return response;
  const header = new Headers(response.header);
  for (const name of bodyHeaders) header.delete(name);
  return { status: 304, header };
}

/** Weak comparison: whether two tags are weak does not matter (RFC 9110 §8.8.3.2). */
function matches(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch.trim() === "*") return true;
  const opaque = etag.replace(/^W\//, "");
  return ifNoneMatch.match(/"[^"]*"/g)?.includes(opaque) === true;
}
