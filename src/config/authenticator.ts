import { createHash, timingSafeEqual } from "node:crypto";
import { anonymousCaller, type Caller, createCaller, localCaller } from "../content/caller.ts";
import { DescryError } from "../oci/errors.ts";
import type { CallerEntry } from "./callers.ts";

/** Tells who calls, by the request's header and the connection. Throws CALLER_UNAUTHENTICATED. */
export type Authenticator = (header: Headers, peer: { readonly unix: boolean }) => Caller;

/**
 * Without callers everybody is anonymous and may do everything: such a server listens on loopback, or was told to
 * trust all. With callers a Bearer token is asked for, except on a unix socket, which only its owner can open.
 */
export function createAuthenticator(callers: readonly CallerEntry[]): Authenticator {
  const known = callers.map(({ name, tokenSha256, allow }) => ({
    hash: Buffer.from(tokenSha256, "hex"),
    caller: createCaller(name, allow),
  }));
  return (header, peer) => {
    if (peer.unix) return localCaller;
    if (known.length === 0) return anonymousCaller;
    // RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1).
    const [, token] = /^bearer +([^\s,]+) *$/i.exec(header.get("authorization") ?? "") ?? [];
    if (token === undefined)
      throw new DescryError("CALLER_UNAUTHENTICATED", "this server asks for a token: Authorization: Bearer TOKEN");
    const hash = createHash("sha256").update(token).digest();
    let caller: Caller | undefined;
    // All are compared, each in constant time, so that the time tells nothing about any.
    for (const entry of known) if (timingSafeEqual(entry.hash, hash)) caller = entry.caller;
    if (caller === undefined) throw new DescryError("CALLER_UNAUTHENTICATED", "the token is unknown to this server");
    return caller;
  };
}
