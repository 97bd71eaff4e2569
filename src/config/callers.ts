import { formatReference, parseRepository } from "../oci/reference.ts";
import type { Table } from "./table.ts";

/** What a caller may do; the words of content/caller.ts. */
export type CallerVerb = "pull" | "push" | "delete";

export interface CallerGrant {
  readonly verbs: readonly CallerVerb[];
  /** `host/path`, or a prefix that ends in `/*`, or `*` for all. */
  readonly repositories: readonly string[];
}

/** A `[[caller]]` of the configuration file. */
export interface CallerEntry {
  readonly name: string;
  /** SHA-256 of the token, in lower-case hex: the file may be read without giving the token away. */
  readonly tokenSha256: string;
  readonly allow: readonly CallerGrant[];
}

const nameGrammar = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
/** Names that the server gives itself: whoever shared one would share its interrupted uploads. */
const reservedNames: ReadonlySet<string> = new Set(["local", "anonymous"]);
const readEverything: readonly CallerGrant[] = [{ verbs: ["pull"], repositories: ["*"] }];

/** Reads the callers. Names and tokens must be unique: the log would name the wrong one. */
export function readCallers(tables: readonly Table[]): readonly CallerEntry[] {
  const names = new Set<string>();
  const tokens = new Set<string>();
  return tables.map((table) => {
    const caller = readCaller(table);
    if (names.has(caller.name)) table.wrong("name", `${JSON.stringify(caller.name)} is another caller's, too`);
    if (tokens.has(caller.tokenSha256))
      table.wrong("token_sha256", "is another caller's, too; give each its own token");
    names.add(caller.name);
    tokens.add(caller.tokenSha256);
    return caller;
  });
}

function readCaller(table: Table): CallerEntry {
  const name = table.text("name") ?? table.wrong("name", "is missing");
  if (!nameGrammar.test(name)) table.wrong("name", "must be 1 to 64 letters, digits and ._@-");
  if (reservedNames.has(name)) table.wrong("name", `${JSON.stringify(name)} is the server's own; choose another`);
  const hash = table.text("token_sha256")?.toLowerCase() ?? table.wrong("token_sha256", "is missing");
  if (!/^[0-9a-f]{64}$/.test(hash))
    table.wrong("token_sha256", 'must be 64 hex digits: printf %s "$TOKEN" | sha256sum');
  const allow = table.tables("allow").map(readGrant);
  table.end();
  return { name, tokenSha256: hash, allow: allow.length === 0 ? readEverything : allow };
}

function readGrant(table: Table): CallerGrant {
  const verbs = (table.texts("verbs") ?? ["pull"]).map((verb) =>
    verb === "pull" || verb === "push" || verb === "delete"
      ? verb
      : table.wrong("verbs", `holds ${JSON.stringify(verb)}; there is pull, push and delete`),
  );
  const repositories = table.texts("repositories") ?? table.wrong("repositories", 'is missing; ["*"] means all');
  for (const pattern of repositories) {
    const problem = patternProblem(pattern);
    if (problem !== undefined) table.wrong("repositories", `holds ${JSON.stringify(pattern)}, ${problem}`);
  }
  table.end();
  return { verbs, repositories };
}

/** Why a text is no pattern. One that is not canonical would silently match nothing. */
function patternProblem(pattern: string): string | undefined {
  if (pattern === "*") return undefined;
  const prefix = pattern.endsWith("/*");
  // A host alone is no repository: `descry.local/*` is checked as `descry.local/any`.
  const repository = prefix ? `${pattern.slice(0, -1)}any` : pattern;
  try {
    const canonical = formatReference(parseRepository(repository));
    if (canonical === repository) return undefined;
    return `which means ${JSON.stringify(prefix ? canonical.replace(/any$/, "*") : canonical)}; write that`;
  } catch {
    return 'which is no repository ("descry.local/team/app"), prefix ("descry.local/team/*") or "*"';
  }
}
