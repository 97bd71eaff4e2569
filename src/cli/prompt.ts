import { createInterface } from "node:readline/promises";
import { usageError } from "./exit.ts";
import type { Io } from "./io.ts";

/** Asks on the terminal; only "y" and "yes" mean yes. Without a terminal nobody can be asked: a usage error. */
export async function confirm(io: Io, question: string): Promise<boolean> {
  const { stdin, stderr, signal } = io;
  if (stdin.isTTY !== true || stderr.isTTY !== true)
    throw usageError("there is no terminal to ask on; give --force to go ahead");
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
