import { DescryError } from "../oci/errors.ts";
import type { CallOptions, ClientOptions } from "./options.ts";

/** Headers that go with every call of a client. Throws FIELD_INVALID for what no header can carry. */
export function clientHeaders(options: ClientOptions): Headers {
  const headers = new Headers(options.headers);
  const { token, registryAuth } = options;
  if (token !== undefined) {
    // RFC 6750 §2.1; anything else would end up in a server's error message.
    if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(token))
      throw DescryError.field("token", "a token holds only letters, digits and -._~+/=");
    headers.set("Authorization", `Bearer ${token}`);
  }
  if (registryAuth !== undefined) {
    if ("hosts" in registryAuth) headers.set("X-Registry-Config", encodeJson(registryAuth.hosts));
    else headers.set("X-Registry-Auth", encodeJson(registryAuth));
  }
  return headers;
}

/** A client's headers with a call's own over them. */
export function callHeaders(client: Headers, options: CallOptions): Headers {
  if (options.headers === undefined) return client;
  const headers = new Headers(client);
  for (const [name, value] of Object.entries(options.headers)) headers.set(name, value);
  return headers;
}

/** base64url of the JSON, as Docker's engine API has it. */
function encodeJson(value: unknown): string {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_");
}
