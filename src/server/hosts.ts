import { isIP } from "node:net";
import { bareHost, isLoopback, isWildcard, type ListenAddress } from "./address.ts";

/** Whether a server may be called by this host name (without port). */
export type HostRule = (host: string) => boolean;

/**
 * The names a listen address answers to: loopback's, its own, and those configured. A web page reaches a local server
 * by a name of its own that it points here (DNS rebinding); such a name is none of these. Where the address stands for
 * all of the machine's, any IP address passes: a browser that says one was told to go to just that address. Over a
 * unix socket the name means nothing.
 */
export function createHostRule(address: ListenAddress, configured: readonly string[]): HostRule {
  if (address.kind === "unix") return () => true;
  const names = new Set([address.host, ...configured].map((name) => bareHost(name.toLowerCase())));
  const anyAddress = isWildcard(address.host);
  return (host) => isLoopback(host) || names.has(host) || (anyAddress && isIP(host) !== 0);
}
