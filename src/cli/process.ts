import { type Interrupt, isInterrupt } from "./io.ts";
import { run } from "./run.ts";

/**
 * Runs the command line of a process; resolves with its exit code. The first SIGINT or SIGTERM ends the command in
 * good order, the second one ends the process.
 */
export async function runProcess(host: NodeJS.Process): Promise<number> {
  const interrupt = new AbortController();
  const end = (by: Interrupt["by"]): void => interrupt.abort({ by } satisfies Interrupt);
  host.once("SIGINT", () => end("SIGINT"));
  host.once("SIGTERM", () => end("SIGTERM"));
  host.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") end("SIGPIPE");
  });
  // node:sqlite is announced as experimental by Node 22; whoever runs descry can do nothing about it.
  host.removeAllListeners("warning");
  host.on("warning", ({ name, message }) => {
    if (name !== "ExperimentalWarning") host.stderr.write(`descry: ${name}: ${message}\n`);
  });
  // Errors that cannot be reported change nothing about the outcome.
  host.stderr.on("error", () => undefined);
  const code = await run(host.argv.slice(2), {
    stdin: host.stdin,
    stdout: host.stdout,
    stderr: host.stderr,
    env: host.env,
    signal: interrupt.signal,
    now: () => performance.now(),
  });
  const { reason }: { readonly reason: unknown } = interrupt.signal;
  return code !== 0 && isInterrupt(reason) ? interruptCodes[reason.by] : code;
}

/** As a shell reports a process that the signal ended: 128 and the signal's number. */
const interruptCodes: Readonly<Record<Interrupt["by"], number>> = { SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 };
