import type { SecureContextOptions } from "node:tls";
import { DescryError } from "../../oci/errors.ts";

/** TLS of a client: Node's names. */
export type ClientTls = Pick<SecureContextOptions, "ca" | "cert" | "key" | "passphrase"> & {
  /** Name the server's certificate must be for. Default: the URL's host. */
  readonly servername?: string;
};

export interface NodeChannelOptions {
  /** Default "1.1". */
  readonly httpVersion?: "1.1" | "2";
  readonly tls?: ClientTls;
}

/** Where a server listens, as Node's http modules want to hear it. */
export interface Endpoint {
  /** http or https URL of the calls; for a unix socket one with the host `localhost`. */
  readonly baseUrl: string;
  readonly secure: boolean;
  readonly socketPath?: string;
  readonly tls: ClientTls;
}

/** Reads a server's URL: http://host:port, https://host:port or unix:///path. Throws FIELD_INVALID. */
export function parseEndpoint(text: string, tls: ClientTls = {}): Endpoint {
  if (text.startsWith("unix:")) {
    const socketPath = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
    if (!socketPath.startsWith("/"))
      throw DescryError.field("baseUrl", `${JSON.stringify(text)}: a unix socket is named unix:///absolute/path`);
    return { baseUrl: "http://localhost", secure: false, socketPath, tls };
  }
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw DescryError.field(
      "baseUrl",
      `${JSON.stringify(text)} is no server URL; give http://host:port, https://host:port or unix:///path`,
    );
  return { baseUrl: text.replace(/\/+$/, ""), secure: url.protocol === "https:", tls };
}
