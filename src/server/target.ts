import type { HttpRequest } from "./listen.ts";

/** Where a request goes. */
export interface Target {
  /** Host name without port; IPv6 without brackets. */
  readonly host: string;
  readonly path: string;
}

/** What may stand in an authority; URL would take more, and read it as user, path or query. */
const authorityGrammar = /^[^\s/?#@\\]+$/;

/**
 * Names the host of a request over a unix socket. It means nothing there, and clients make it up: grpcio sends the
 * socket's path, of which Connect cannot make a URL either.
 */
export function nameUnixHost({ headers }: HttpRequest): void {
  const name = ":authority" in headers ? ":authority" : "host";
  if (headers[name] !== undefined) headers[name] = "localhost";
}

/**
 * Reads a request's Host or :authority and its path. Undefined if they make no URL. Connect would throw there, out of
 * Node's event, which ends the process.
 */
export function targetOf(request: HttpRequest): Target | undefined {
  const { url = "" } = request;
  const authority = "authority" in request ? request.authority : request.headers.host;
  if (authority === undefined || !authorityGrammar.test(authority)) return undefined;
  // Absolute-form: its authority counts, not the Host header (RFC 9112 §3.2.2).
  const parsed = url.startsWith("/") ? URL.parse(`http://${authority}${url}`) : URL.parse(url, `http://${authority}`);
  if (parsed === null || (parsed.protocol !== "http:" && parsed.protocol !== "https:")) return undefined;
  const { hostname, pathname } = parsed;
  return { host: hostname.startsWith("[") ? hostname.slice(1, -1) : hostname.replace(/\.$/, ""), path: pathname };
}
