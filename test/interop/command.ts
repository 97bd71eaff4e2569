import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Most of a program's output, in bytes: a layer of a test image as base64, and room. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What a program printed on standard output. Throws with all that it printed when it fails. */
export async function output(
  program: string,
  args: readonly string[],
  { cwd, env }: CommandOptions = {},
): Promise<string> {
  const options = {
    env: { ...process.env, ...env },
    maxBuffer: MAX_OUTPUT_BYTES,
    ...(cwd === undefined ? {} : { cwd }),
  };
  try {
    return (await run(program, args, options)).stdout;
  } catch (cause) {
    const text = (stream: "stdout" | "stderr"): string =>
      cause instanceof Error && stream in cause ? String(Reflect.get(cause, stream)) : "";
    throw new Error(`${program} ${args.join(" ")}\n${text("stdout")}${text("stderr")}`, { cause });
  }
}
