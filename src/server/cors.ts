import { cors } from "@connectrpc/connect";
import { type Exchange, send } from "./answer.ts";

const allowedMethods = cors.allowedMethods.join(", ");
const ownHeaders = ["Authorization", "If-None-Match", "X-Registry-Auth", "X-Registry-Config", "X-Request-Id"];
const allowedHeaders = [...cors.allowedHeaders, ...ownHeaders].join(", ");
/** What a page may read besides the few headers that every page may (Fetch, "CORS-safelisted response-header name"). */
const exposedHeaders = [...cors.exposedHeaders, "ETag", "Warning", "WWW-Authenticate", "X-Request-Id"].join(", ");

/** Seconds a browser may remember a preflight: the most that Chromium takes. */
const PREFLIGHT_SECONDS = 7200;

/**
 * Whether the request comes from a web page that is not allowed to call. Any Origin counts, and of requests without
 * one those that a browser marks as made by a page of another site (Fetch Metadata): an image's URL can be a GET of
 * ours.
 */
export function isForeign({ request }: Exchange, origins: ReadonlySet<string>): boolean {
  const { origin, "sec-fetch-site": site } = request.headers;
  if (origin !== undefined) return !origins.has(origin);
  return site === "cross-site" || site === "same-site";
}

/** Lets a page of the request's allowed origin read the response. */
export function allowOrigin({ request, response }: Exchange): void {
  const { origin } = request.headers;
  response.setHeader("Vary", "Origin");
  if (origin === undefined) return;
  response.setHeader("Access-Control-Allow-Origin", origin);
  response.setHeader("Access-Control-Expose-Headers", exposedHeaders);
}

/** Answers a preflight, if the request is one. */
export function answersPreflight(exchange: Exchange): boolean {
  const { request } = exchange;
  if (request.method !== "OPTIONS" || request.headers["access-control-request-method"] === undefined) return false;
  const headers = {
    "Access-Control-Allow-Methods": allowedMethods,
    "Access-Control-Allow-Headers": allowedHeaders,
    "Access-Control-Max-Age": String(PREFLIGHT_SECONDS),
  };
  send(exchange, 204, headers, undefined);
  return true;
}
