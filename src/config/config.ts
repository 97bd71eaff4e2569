import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { DescryError } from "../oci/errors.ts";
import type { CallerEntry } from "./callers.ts";
import { emptyFile, type FileConfig, readConfigFile, type TlsFiles } from "./file.ts";
import { type ReadText, readText } from "./read-text.ts";

/** Everything descry is told from outside, checked and frozen. Flags come before the environment, that before the file. */
export interface Config {
  /** The embedded registry's directory. Absolute. */
  readonly dataDir: string;
  /** Addresses of `serve`: http://host:port, https://host:port, unix:///path. */
  readonly listen: readonly string[];
  /** PEM files of the server's certificate chain and key. Absolute. */
  readonly tls?: TlsFiles;
  /** Host names the server answers to, besides loopback's and those of its addresses. */
  readonly allowedHosts: readonly string[];
  /** Origins of web pages that may call the server. */
  readonly corsOrigins: readonly string[];
  /** Milliseconds that running calls get when the server stops. Undefined: the server's default. */
  readonly drainMs?: number;
  /** Connections of one listen address. Undefined: the server's default. */
  readonly maxConnections?: number;
  /** Who may call. Empty: nobody is asked for a name. */
  readonly callers: readonly CallerEntry[];
  /** Addresses that other machines reach may be opened without callers. */
  readonly insecureAllowAnonymous: boolean;
  /** The server that commands talk to. Undefined: the embedded registry in `dataDir`. */
  readonly server?: string;
  /** The caller's token at that server. */
  readonly token?: string;
}

/** What the command line says; relative paths are the shell's. */
export interface Flags {
  readonly config?: string;
  readonly dataDir?: string;
  readonly server?: string;
  readonly tokenFile?: string;
  readonly listen?: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly drainSeconds?: number;
  readonly insecureAllowAnonymous?: boolean;
}

/** Environment variables; an empty one counts as not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where `serve` listens unless told otherwise. */
const DEFAULT_LISTEN = "http://127.0.0.1:7070";

/**
 * Puts the configuration together. The file is the flag's or DESCRY_CONFIG's, else `descry/config.toml` in
 * $XDG_CONFIG_HOME (~/.config) if it is there. Throws FIELD_INVALID with the place, the key and what to do.
 */
export async function loadConfig(flags: Flags, env: Environment, read: ReadText = readText): Promise<Config> {
  const file = await findFile(flags, env, read);
  const server = flags.server ?? some(env["DESCRY_SERVER"]) ?? file.server;
  const token = await findToken(flags, env, file, read);
  const tls = findTls(flags, file);
  const drainMs = flags.drainSeconds === undefined ? file.drainMs : flags.drainSeconds * 1000;
  const config: Config = {
    dataDir: resolve(flags.dataDir ?? some(env["DESCRY_DATA_DIR"]) ?? file.dataDir ?? defaultDataDir(env)),
    listen: Object.freeze([...(flags.listen ?? file.listen ?? [DEFAULT_LISTEN])]),
    ...(tls === undefined ? {} : { tls: Object.freeze(tls) }),
    allowedHosts: Object.freeze(file.allowedHosts),
    corsOrigins: Object.freeze(file.corsOrigins),
    ...(drainMs === undefined ? {} : { drainMs }),
    ...(file.maxConnections === undefined ? {} : { maxConnections: file.maxConnections }),
    callers: Object.freeze(file.callers),
    insecureAllowAnonymous: flags.insecureAllowAnonymous ?? file.insecureAllowAnonymous,
    ...(server === undefined ? {} : { server }),
    ...(token === undefined ? {} : { token }),
  };
  return Object.freeze(config);
}

async function findFile(flags: Flags, env: Environment, read: ReadText): Promise<FileConfig> {
  const named = flags.config ?? some(env["DESCRY_CONFIG"]);
  const path = resolve(named ?? join(some(env["XDG_CONFIG_HOME"]) ?? join(home(env), ".config"), "descry/config.toml"));
  const text = await read(path);
  if (text !== undefined) return await readConfigFile(text, path);
  if (named === undefined) return emptyFile;
  throw DescryError.field("config", `there is no file ${path}; name another with --config or DESCRY_CONFIG`);
}

/** DESCRY_TOKEN, unless a flag names a file. A flag with the token itself would show it to everyone who lists processes. */
async function findToken(
  flags: Flags,
  env: Environment,
  file: FileConfig,
  read: ReadText,
): Promise<string | undefined> {
  const fromEnvironment = flags.tokenFile === undefined ? some(env["DESCRY_TOKEN"]) : undefined;
  if (fromEnvironment !== undefined) return fromEnvironment;
  const path = flags.tokenFile ?? file.tokenFile;
  if (path === undefined) return undefined;
  const text = await read(resolve(path));
  if (text === undefined) throw DescryError.field("token_file", `there is no file ${resolve(path)}`);
  const token = text.trim();
  if (token === "") throw DescryError.field("token_file", `${resolve(path)} is empty; it should hold the token`);
  return token;
}

function findTls({ tlsCert, tlsKey }: Flags, file: FileConfig): TlsFiles | undefined {
  const cert = tlsCert === undefined ? file.tls?.cert : resolve(tlsCert);
  const key = tlsKey === undefined ? file.tls?.key : resolve(tlsKey);
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined) throw DescryError.field("tls.cert", "there is a key without a certificate; give --tls-cert");
  if (key === undefined) throw DescryError.field("tls.key", "there is a certificate without a key; give --tls-key");
  return { cert, key };
}

function defaultDataDir(env: Environment): string {
  return join(some(env["XDG_DATA_HOME"]) ?? join(home(env), ".local/share"), "descry");
}

function home(env: Environment): string {
  return some(env["HOME"]) ?? homedir();
}

function some(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
