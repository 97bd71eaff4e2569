import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Programs that a machine brings along, and the arguments by which each shows that it works. */
const checks = {
  curl: ["--version"],
  go: ["version"],
  // Debian's python3 can be there without venv.
  python3: ["-c", "import ensurepip, venv"],
} as const;

/**
 * Whether a toolchain works here; give it to `describe.skipIf`. Where it does not, one line says what is skipped, and
 * with CI=true this throws: nothing is skipped there.
 */
export async function hasToolchain(program: keyof typeof checks): Promise<boolean> {
  try {
    await run(program, checks[program]);
    return true;
  } catch (cause) {
    const message = `tests that need ${program}: it does not run here`;
    if (process.env["CI"] === "true") throw new Error(message, { cause });
    process.stderr.write(`SKIPPED: ${message}\n`);
    return false;
  }
}
