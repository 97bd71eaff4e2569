import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Io } from "../../src/cli/io.ts";
import { run } from "../../src/cli/run.ts";

/** How a command ended and what it said. */
export interface Outcome {
  /** Undefined: a signal ended it. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Uint8Array;
}

export interface CliOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
/** Arguments of `node` that start the sources. */
export const cliArguments: readonly string[] = ["--conditions=descry-source", main];

/** An environment in which nothing of the user's counts. */
export function cleanEnvironment(home: string): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "", HOME: home, TMPDIR: home, NO_COLOR: "1" };
}

/** A directory for one test file's commands, and a way to run them as child processes. */
export interface Cli {
  readonly home: string;
  readonly descry: (args: readonly string[], options?: CliOptions) => Promise<Outcome>;
  close(): Promise<void>;
}

export async function createCli(): Promise<Cli> {
  const home = await mkdtemp(join(tmpdir(), "descry-cli-"));
  return {
    home,
    descry: async (args, { stdin = "", env = {}, cwd = home } = {}) => {
      const child = spawn(process.execPath, [...cliArguments, ...args], {
        cwd,
        env: { ...cleanEnvironment(home), ...env },
      });
      child.stdin.on("error", () => undefined);
      child.stdin.end(stdin);
      const [stdout, stderr] = [gather(child.stdout), gather(child.stderr)];
      const code = await new Promise<number | undefined>((resolve, reject) => {
        child.on("error", reject);
        child.on("close", (status) => resolve(status ?? undefined));
      });
      const bytes = stdout();
      return { code, bytes, stdout: bytes.toString(), stderr: stderr().toString() };
    },
    close: async () => await rm(home, { recursive: true, force: true }),
  };
}

function gather(stream: NodeJS.ReadableStream): () => Buffer {
  const chunks: Uint8Array[] = [];
  stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  return () => Buffer.concat(chunks);
}

/** What a terminal shows and types. */
export interface Terminal {
  /** Which of the streams are terminals. Default: all. */
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  /** What is typed. */
  readonly types?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command line in this process, before a terminal that is not there. */
export async function runOnTerminal(args: readonly string[], terminal: Terminal = {}): Promise<Outcome> {
  const { stdin = true, stdout = true, stderr = true, types = "", env = {} } = terminal;
  const streams = [stdin, stdout, stderr].map((isTTY) => Object.assign(new PassThrough(), { isTTY }));
  const [input = new PassThrough(), output = new PassThrough(), errors = new PassThrough()] = streams;
  input.end(types);
  const [out, err] = [gather(output), gather(errors)];
  let now = 0;
  const io: Io = {
    stdin: input,
    stdout: output,
    stderr: errors,
    env: { HOME: "/nonexistent", ...env },
    signal: new AbortController().signal,
    now: () => (now += 60),
  };
  const code = await run(args, io);
  output.end();
  errors.end();
  await Promise.all([output, errors].map((stream) => new Promise((resolve) => stream.on("end", resolve))));
  const bytes = out();
  return { code, bytes, stdout: bytes.toString(), stderr: err().toString() };
}
