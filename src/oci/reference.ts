import { type Digest, digestProblem, quote } from "./digest.ts";
import { DescryError } from "./errors.ts";

/**
 * A reference in canonical form: `host[:port]/path[:tag][@digest]`, the grammar of distribution/reference,
 * short names completed as Docker does (`alpine` is `docker.io/library/alpine`).
 */
export interface Reference {
  /** `host` or `host:port`. */
  readonly host: string;
  /** Repository path on that host. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** Host of the embedded registry. Answered before DNS; never a remote registry. */
export const EMBEDDED_HOST = "descry.local";

/** Longest reference, in bytes (proto/descry/v1/types.proto). */
export const MAX_REFERENCE_BYTES = 1024;
/** Longest repository name `host/path`, in bytes: 255 for the host by DNS, 255 for the path, and the slash. */
const MAX_REPOSITORY_BYTES = 511;
/** Longest path, in bytes (distribution/reference v0.6: the limit is the path's alone). */
const MAX_PATH_BYTES = 255;
/** Longest tag, in bytes (distribution-spec). */
export const MAX_TAG_BYTES = 128;

const DOCKER_HOST = "docker.io";
const DOCKER_LEGACY_HOST = "index.docker.io";
/** Namespace of Docker's single-component names. */
const DOCKER_LIBRARY = "library/";

const domainComponent = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const hostGrammar = new RegExp(`^(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const pathGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagGrammar = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/;
/** 64 hex digits, bare or after `sha256:`: an image ID or a digest, never a name (distribution/reference). */
const identifier = /^(?:sha256:)?[a-f0-9]{64}$/;

/** Reads a reference. Throws FIELD_INVALID or NOT_A_REFERENCE, naming `field`. */
export function parseReference(text: string, field = "ref"): Reference {
  if (text === "") throw DescryError.field(field, "is empty; give host/path[:tag][@digest]");
  if (text.length > MAX_REFERENCE_BYTES) throw DescryError.field(field, `is longer than ${MAX_REFERENCE_BYTES} bytes`);
  if (identifier.test(text))
    throw new DescryError(
      "NOT_A_REFERENCE",
      `${field}: ${quote(text)} is an image ID or a digest; name its repository: repository@sha256:…`,
      {
        metadata: { use: "repository@digest" },
        violations: [{ field, description: "an image ID or a digest, not a reference" }],
      },
    );
  const fail = (why: string): never => {
    throw DescryError.field(field, `reference ${quote(text)} ${why}`);
  };

  const at = text.indexOf("@");
  const named = at === -1 ? text : text.slice(0, at);
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined) {
    const problem = digestProblem(digest);
    if (problem !== undefined) fail(`has a digest that ${problem}`);
  }

  const { host, rest } = splitHost(named);
  if (!hostGrammar.test(host)) fail(`has a host ${quote(host)} that is no host[:port]`);
  if (host.startsWith(`${EMBEDDED_HOST}:`)) fail(`has a port on ${EMBEDDED_HOST}; the embedded registry has none`);
  const colon = rest.indexOf(":");
  const name = colon === -1 ? rest : rest.slice(0, colon);
  const tag = colon === -1 ? undefined : rest.slice(colon + 1);
  if (tag !== undefined && !tagGrammar.test(tag))
    fail(`has a tag ${quote(tag)}; a tag is 1 to ${MAX_TAG_BYTES} of A-Z a-z 0-9 _ . - and starts with none of . -`);
  if (name === "") fail("names no repository");
  if (!pathGrammar.test(name))
    fail(
      name === name.toLowerCase()
        ? `has a repository ${quote(name)} that is not of the form a/b, each part a-z 0-9 joined by . _ __ or -`
        : `has upper case in its repository ${quote(name)}; repositories are lower case`,
    );
  const path = host === DOCKER_HOST && !name.includes("/") ? DOCKER_LIBRARY + name : name;
  if (path.length > MAX_PATH_BYTES) fail(`has a repository path longer than ${MAX_PATH_BYTES} bytes`);
  if (host.length + 1 + path.length > MAX_REPOSITORY_BYTES)
    fail(`has a repository longer than ${MAX_REPOSITORY_BYTES} bytes`);
  return {
    host,
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest: digest as Digest }),
  };
}

/** Reads a repository: a reference without tag and digest. */
export function parseRepository(text: string, field = "repository"): Reference {
  if (text.length > MAX_REPOSITORY_BYTES)
    throw DescryError.field(field, `is longer than ${MAX_REPOSITORY_BYTES} bytes`);
  const reference = parseReference(text, field);
  if (reference.tag !== undefined || reference.digest !== undefined)
    throw DescryError.field(field, `${quote(text)} has a tag or a digest; give the repository alone`);
  return reference;
}

/** Docker's rule for what the first component is: a host if it looks like one, else part of a docker.io name. */
function splitHost(named: string): { host: string; rest: string } {
  const slash = named.indexOf("/");
  const first = slash === -1 ? "" : named.slice(0, slash);
  const isHost = first === "localhost" || /[.:]/.test(first) || first !== first.toLowerCase();
  if (!isHost) return { host: DOCKER_HOST, rest: named };
  return { host: canonicalHost(first), rest: named.slice(slash + 1) };
}

function canonicalHost(host: string): string {
  if (host === DOCKER_LEGACY_HOST) return DOCKER_HOST;
  // Names on the network ignore case, so no spelling of the embedded registry may slip past it to DNS.
  const lower = host.toLowerCase();
  return lower === EMBEDDED_HOST || lower.startsWith(`${EMBEDDED_HOST}:`) ? lower : host;
}

/** `host/path`. */
export function repositoryOf(reference: Reference): string {
  return `${reference.host}/${reference.path}`;
}

/** The canonical text, with the tag and the digest it was given. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return repositoryOf(reference) + tag + digest;
}

/** `repository@digest`: names this content for all time. */
export function pinnedReference(reference: Reference, digest: Digest): string {
  return `${repositoryOf(reference)}@${digest}`;
}

/** Reads mean the tag `latest` where neither tag nor digest is given (Docker). */
const DEFAULT_TAG = "latest";

/** The reference a read asks for: DEFAULT_TAG where neither tag nor digest is given. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: DEFAULT_TAG };
}

export function isTag(text: string): boolean {
  return tagGrammar.test(text);
}

/** Whether a tag stands for a digest: the fallback tags of referrers, cosign's and the like (`sha256-<hex>[.suffix]`). */
export function isDigestTag(tag: string): boolean {
  return /^sha(?:256|512)-[0-9a-f]{64}/.test(tag);
}
