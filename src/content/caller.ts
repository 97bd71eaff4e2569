/** What a caller may do to a repository. The words are Docker's token scopes: `repository:NAME:pull,push`. */
export type Verb = "pull" | "push" | "delete";

/** Who makes a call, as far as this server knows. */
export interface Caller {
  /** For logs, and to tell one caller's interrupted uploads from another's. */
  readonly name: string;
  /** Anyone could make this call: answers to it may be kept by shared caches. */
  readonly anonymous: boolean;
  /** Whether the caller may do this to the repository (`host/path`). The one place that decides (design, decision A). */
  may(verb: Verb, repository: string): boolean;
  /** Whether there is any repository where the caller may do this: asked before a request's body is read. */
  mayAnywhere(verb: Verb): boolean;
}

/** A line of a caller's `allow` list. */
export interface Grant {
  readonly verbs: readonly Verb[];
  /** `host/path`, or a prefix that ends in `/*`, or `*` for all. */
  readonly repositories: readonly string[];
}

/** A caller with the rights of its grants. */
export function createCaller(name: string, grants: readonly Grant[], anonymous = false): Caller {
  return {
    name,
    anonymous,
    may: (verb, repository) =>
      grants.some(
        (grant) => grant.verbs.includes(verb) && grant.repositories.some((pattern) => covers(pattern, repository)),
      ),
    mayAnywhere: (verb) => grants.some((grant) => grant.verbs.includes(verb)),
  };
}

const everything: readonly Grant[] = [{ verbs: ["pull", "push", "delete"], repositories: ["*"] }];

/** The embedded CLI, and whoever reaches a unix socket of mode 0600. */
export const localCaller: Caller = createCaller("local", everything);

/** Whoever reaches a server that asks no caller for a name: one on loopback, or one told to trust all. */
export const anonymousCaller: Caller = createCaller("anonymous", everything, true);

function covers(pattern: string, repository: string): boolean {
  if (pattern === "*" || pattern === repository) return true;
  return pattern.endsWith("/*") && repository.startsWith(pattern.slice(0, -1));
}
