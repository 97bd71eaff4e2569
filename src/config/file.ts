import { dirname, resolve } from "node:path";
import { DescryError } from "../oci/errors.ts";
import { type CallerEntry, readCallers } from "./callers.ts";
import { lineOf } from "./line-of.ts";
import { Table } from "./table.ts";

/** PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** What a configuration file says. */
export interface FileConfig {
  readonly dataDir?: string;
  readonly listen?: readonly string[];
  readonly tls?: Partial<TlsFiles>;
  readonly allowedHosts: readonly string[];
  readonly corsOrigins: readonly string[];
  readonly drainMs?: number;
  readonly maxConnections?: number;
  readonly callers: readonly CallerEntry[];
  readonly insecureAllowAnonymous: boolean;
  readonly server?: string;
  readonly tokenFile?: string;
}

/** No file. */
export const emptyFile: FileConfig = { allowedHosts: [], corsOrigins: [], callers: [], insecureAllowAnonymous: false };

/** Longest drain, in seconds: an hour. Whoever stops a server does not mean longer. */
const MAX_DRAIN_SECONDS = 3600;
/** Most connections of one address: what a process may have open at all, in practice. */
const MAX_CONNECTIONS = 1_000_000;

/** Reads a file's text. Throws FIELD_INVALID with file, line, key and what to do. */
export async function readConfigFile(text: string, path: string): Promise<FileConfig> {
  // Loaded only if there is a file: most commands run without.
  const { parse, TomlError } = await import("smol-toml");
  const root = new Table(parseToml(), [], (keys, problem) => {
    const line = lineOf(text, keys);
    const key = keys.join(".");
    const place = line === undefined ? path : `${path}:${line}`;
    throw new DescryError("FIELD_INVALID", `${place}: ${key} ${problem}`, {
      violations: [{ field: key, description: problem }],
    });
  });

  const beside = (file: string | undefined): string | undefined =>
    file === undefined ? undefined : resolve(dirname(path), file);
  const tls = root.table("tls");
  const server = root.table("server");
  const client = root.table("client");
  const drainSeconds = server?.number("drain_seconds", 0, MAX_DRAIN_SECONDS);
  const config = {
    dataDir: beside(root.text("data_dir")),
    listen: root.texts("listen"),
    tls: tls === undefined ? undefined : defined({ cert: beside(tls.text("cert")), key: beside(tls.text("key")) }),
    allowedHosts: server?.texts("allowed_hosts") ?? [],
    corsOrigins: server?.texts("cors_origins") ?? [],
    drainMs: drainSeconds === undefined ? undefined : drainSeconds * 1000,
    maxConnections: server?.integer("max_connections", 1, MAX_CONNECTIONS),
    callers: readCallers(root.tables("caller")),
    insecureAllowAnonymous: root.flag("insecure_allow_anonymous") ?? false,
    server: client?.text("server"),
    tokenFile: beside(client?.text("token_file")),
  };
  for (const table of [tls, server, client, root]) table?.end();
  return defined(config);

  function parseToml(): Readonly<Record<string, unknown>> {
    try {
      return parse(text, { unsafeKeyBehaviour: "throw" });
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      const [what = ""] = error.message.split("\n");
      throw new DescryError("FIELD_INVALID", `${path}:${error.line}:${error.column}: ${what}`, { cause: error });
    }
  }
}

/** The same without what is undefined. */
function defined<T extends object>(value: T): { readonly [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    readonly [K in keyof T]: Exclude<T[K], undefined>;
  };
}
