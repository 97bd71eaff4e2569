import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/** Programs that tests use as peers, and the Debian package of each. */
const packages = {
  skopeo: "skopeo",
  "docker-registry": "docker-registry",
} as const;

export type Program = keyof typeof packages;

/** Where Debian puts what a user's PATH may leave out. */
const SYSTEM_DIRECTORIES = ["/usr/bin", "/usr/sbin"];
/** Longest wait for an installation, in milliseconds: a slow mirror, and another test file that installs first. */
const INSTALL_TIMEOUT_MS = 5 * 60 * 1000;

const run = promisify(execFile);
const found = new Map<Program, Promise<string | undefined>>();

/**
 * Path of a program that a Debian package ships: from PATH, else installed by apt-get when CI=true or
 * DESCRY_TEST_APT=1. Undefined elsewhere, after one line that says what is skipped: give it to `describe.skipIf`.
 * Where it should have been installed and was not, this throws: nothing is skipped there.
 */
export function debian(program: Program): Promise<string | undefined> {
  let path = found.get(program);
  if (path === undefined) {
    path = locate(program);
    found.set(program, path);
  }
  return path;
}

async function locate(program: Program): Promise<string | undefined> {
  const there = await onPath(program);
  if (there !== undefined) return there;
  if (!mayInstall()) {
    process.stderr.write(
      `SKIPPED: tests that need ${program}. It is not on PATH: apt-get install ${packages[program]}, or set DESCRY_TEST_APT=1\n`,
    );
    return undefined;
  }
  await install(packages[program]);
  const installed = await onPath(program);
  if (installed === undefined) throw new Error(`Debian's ${packages[program]} was installed but has no ${program}`);
  return installed;
}

function mayInstall(): boolean {
  return process.env["CI"] === "true" || process.env["DESCRY_TEST_APT"] === "1";
}

async function onPath(program: string): Promise<string | undefined> {
  const directories = (process.env["PATH"] ?? "").split(delimiter).filter((directory) => directory !== "");
  for (const directory of [...directories, ...SYSTEM_DIRECTORIES]) {
    const path = join(directory, program);
    const runs = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return path;
  }
  return undefined;
}

/** Installs a package; test files that run at the same time wait for one another. */
async function install(name: string): Promise<void> {
  const apt = `apt-get install -y --no-install-recommends ${name}`;
  // The package lists of a fresh machine are empty or old, so the first failure is answered by an update.
  const script = `${apt} || { apt-get update && ${apt}; }`;
  const sudo = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
  const command = [
    ...sudo,
    "env",
    "DEBIAN_FRONTEND=noninteractive",
    "flock",
    "/tmp/descry-apt.lock",
    "sh",
    "-c",
    script,
  ];
  await run(command[0] ?? "env", command.slice(1), { timeout: INSTALL_TIMEOUT_MS });
}
