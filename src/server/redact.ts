/** Request headers whose values are secrets. */
const secretHeaders = ["authorization", "proxy-authorization", "cookie", "x-registry-auth", "x-registry-config"];

/** Fields of Docker's AuthConfig that hold secrets. */
const secretFields = ["password", "auth", "identitytoken", "registrytoken"];

/** Shorter values are words that occur in any text ("Bearer"); no secret worth the name is so short. */
const SHORTEST_SECRET = 8;

/**
 * A function that takes the secrets of one request out of a text: header values, the token behind an authorization
 * scheme, and passwords and tokens inside X-Registry-Auth and X-Registry-Config. Error texts and stacks quote what they
 * failed on.
 */
export function redactor(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): (text: string) => string {
  const words = secretHeaders
    .flatMap((name) => [headers[name] ?? []].flat())
    .flatMap((value) => [value, ...value.split(/[\s,]+/)]);
  const secrets = [...new Set(words.flatMap((word) => [word, ...insideBase64(word)]))]
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    // A secret that contains another goes first, so that no rest of it stays.
    .sort((a, b) => b.length - a.length);
  return (text) => secrets.reduce((rest, secret) => rest.replaceAll(secret, "[redacted]"), text);
}

/** The secrets inside a base64 word: the password of Basic credentials, or those of AuthConfig JSON. */
function insideBase64(word: string): readonly string[] {
  const text = Buffer.from(word, "base64url").toString();
  try {
    return secretsOf(JSON.parse(text));
  } catch {
    return password(text);
  }
}

function secretsOf(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) => {
    if (typeof field !== "string") return secretsOf(field);
    if (!secretFields.includes(name.toLowerCase())) return [];
    return [field, ...password(Buffer.from(field, "base64url").toString())];
  });
}

/** What follows the colon of `user:password`. */
function password(text: string): readonly string[] {
  const colon = text.indexOf(":");
  return colon < 0 ? [] : [text.slice(colon + 1)];
}
