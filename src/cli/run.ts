import { CommanderError } from "commander";
import { exitCodeOf, exitCodes } from "./exit.ts";
import { type Io, isInterrupt } from "./io.ts";
import { createProgram } from "./program.ts";
import { reportError } from "./report.ts";

/** Runs one command line. Resolves with the exit code; what went wrong has been said on stderr. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  try {
    await createProgram(io).parseAsync(args, { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    // commander has said it already; help and version end that way too, with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    // Whoever pressed Ctrl-C or closed the pipe knows.
    if (isInterrupt(io.signal.reason) || isClosedPipe(error)) return exitCodes.failure;
    await reportError(io, error, args.includes("--debug"));
    return exitCodeOf(error);
  }
}

function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}
