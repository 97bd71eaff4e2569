import { BlockList, isIP } from "node:net";
import { quote } from "../oci/digest.ts";
import { DescryError } from "../oci/errors.ts";

/** Where a server listens. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly tls: boolean }
  | { readonly kind: "unix"; readonly path: string };

/** Longest path of a unix socket, in bytes: sun_path of macOS (104) with its final NUL; Linux has 108. */
const MAX_SOCKET_PATH_BYTES = 103;

/**
 * Reads a listen address: `http://127.0.0.1:7070`, `https://[::]:7443`, `unix:///run/descry.sock`. Port 0 is any free
 * one; without a port it is the scheme's own. Throws FIELD_INVALID (field `listen`).
 */
export function parseListen(text: string): ListenAddress {
  const wrong = (why: string): never => {
    throw DescryError.field("listen", `address ${quote(text)} ${why}`);
  };
  if (text.startsWith("unix:")) {
    const path = text.startsWith("unix:///") ? text.slice("unix://".length) : wrong("needs the form unix:///path");
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES)
      return wrong(`has a path of more than ${MAX_SOCKET_PATH_BYTES} bytes`);
    if (path === "/" || path.includes("\0")) return wrong("names no file");
    return { kind: "unix", path };
  }
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:"))
    return wrong("is none of http://HOST:PORT, https://HOST:PORT, unix:///PATH");
  if (url.username !== "" || url.password !== "" || url.pathname !== "/" || url.search !== "" || url.hash !== "")
    return wrong("has more than a host and a port");
  const tls = url.protocol === "https:";
  return {
    kind: "tcp",
    host: bareHost(url.hostname),
    port: url.port === "" ? (tls ? 443 : 80) : Number(url.port),
    tls,
  };
}

/** The address as a URL; `port` is the one that port 0 became. */
export function formatListen(address: ListenAddress, port?: number): string {
  if (address.kind === "unix") return `unix://${address.path}`;
  const host = isIP(address.host) === 6 ? `[${address.host}]` : address.host;
  return `${address.tls ? "https" : "http"}://${host}:${port ?? address.port}`;
}

/** A URL's hostname as net and dns take it: IPv6 without brackets, no final dot. */
export function bareHost(hostname: string): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname.replace(/\.$/, "");
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8);
loopback.addAddress("::1", "ipv6");

/** Whether a name or address can only mean this machine (RFC 6761 §6.3 for the names). */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family !== 0) return loopback.check(host, family === 6 ? "ipv6" : "ipv4");
  return host === "localhost" || host.endsWith(".localhost");
}

/** Whether an address stands for all addresses of the machine. */
export function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

export interface Exposure {
  /** Callers are configured, so that a stranger is refused. */
  readonly callers: boolean;
  /** The operator wrote that everybody may do everything. */
  readonly insecureAllowAnonymous: boolean;
}

/**
 * Refuses to open to other machines a server that would obey anybody. Unix sockets (mode 0600) and loopback are open
 * to their users. Throws FIELD_INVALID (field `listen`).
 */
export function checkExposure(listen: readonly ListenAddress[], exposure: Exposure): void {
  if (exposure.callers || exposure.insecureAllowAnonymous) return;
  for (const address of listen) {
    if (address.kind === "unix" || isLoopback(address.host)) continue;
    throw DescryError.field(
      "listen",
      `${formatListen(address)} can be reached from other machines, and anybody there could use this server: ` +
        "configure callers, listen on 127.0.0.1, or say --insecure-allow-anonymous",
    );
  }
}
