import { digestOf } from "../../oci/verifier.ts";
import { DescryError } from "../../oci/errors.ts";

/**
 * Page tokens hold their place and a check of the query they belong to, and need nothing on the server. They are no
 * secret: whoever forges one gets a page that the query could have had anyway.
 */
export function encodePageToken(query: readonly string[], after: string): string {
  return Buffer.from(`${checkOf(query)}${after}`).toString("base64url");
}

/** The place a token holds; "" for the empty one. Throws PAGE_TOKEN_INVALID. */
export function decodePageToken(query: readonly string[], token: string): string {
  if (token === "") return "";
  const text = Buffer.from(token, "base64url").toString();
  const check = checkOf(query);
  const after = text.slice(check.length);
  if (!text.startsWith(check) || after === "" || encodePageToken(query, after) !== token)
    throw new DescryError(
      "PAGE_TOKEN_INVALID",
      "page_token is not one that this query was answered with; start again",
      {
        violations: [{ field: "page_token", description: "is not one that this query was answered with" }],
      },
    );
  return after;
}

/** 64 bits of the query's digest: enough to notice a mistake. */
const CHECK_LENGTH = 16;

function checkOf(query: readonly string[]): string {
  const bytes = new TextEncoder().encode(JSON.stringify(query));
  return digestOf(bytes).slice("sha256:".length, "sha256:".length + CHECK_LENGTH);
}
