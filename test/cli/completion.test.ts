import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cli, createCli, runOnTerminal } from "../support/cli.ts";

const exec = promisify(execFile);
let cli: Cli;
beforeAll(async () => {
  cli = await createCli();
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, stdout } = await runOnTerminal(["completion", shell]);
    expect(code).toBe(0);
    await writeFile(join(cli.home, shell), stdout);
  }
  await writeFile(join(cli.home, "a file"), "");
});
afterAll(async () => await cli.close());

/** What bash offers after these words, the last of which is being typed. */
async function offers(...words: readonly string[]): Promise<string[]> {
  const script = `source ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _descry; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await exec("bash", ["-c", script, "bash", ...words], { cwd: cli.home });
  return stdout.split("\n").filter((line) => line !== "");
}

describe("bash", () => {
  test("takes the script", async () => {
    await exec("bash", ["-n", join(cli.home, "bash")]);
    const { stdout } = await exec("bash", ["-c", "source ./bash; complete -p descry"], { cwd: cli.home });
    expect(stdout).toBe("complete -F _descry descry\n");
  });

  test.each([
    [["re"], ["resolve", "referrers"]],
    [
      ["tags", ""],
      ["ls", "set", "rm"],
    ],
    [["--server", "x", "tags", "s"], ["set"]],
    [["tags", "ls", "--omit"], ["--omit-digest-tags"]],
    [
      ["push", "--kind", ""],
      ["manifest", "blob"],
    ],
    [["push", "--format", "j"], ["json"]],
    [["push", "descry.local/x", "a"], ["a file"]],
    [["fetch", "-o", "a"], ["a file"]],
    [
      ["completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [["resolve", "--plat"], ["--platform"]],
    [["resolve", "--server", ""], []],
    [["system", "df", "--he"], ["--help"]],
  ])("%j", async (words, expected) => {
    expect(await offers("descry", ...words)).toEqual(expected);
  });
});

// Checked where the shell is installed; what it offers was looked at by hand with zsh 5.9 and fish 3.6.
describe.each(["zsh", "fish"])("%s", (shell) => {
  test("takes the script", async (context) => {
    const found = await exec(shell, ["--version"]).catch(() => undefined);
    if (found === undefined) context.skip(`${shell} is not installed`);
    await exec(shell, ["-n", join(cli.home, shell)]);
  });
});

test("a shell that is none", async () => {
  const outcome = await runOnTerminal(["completion", "tcsh"]);
  expect(outcome).toMatchObject({ code: 2, stdout: "" });
  expect(outcome.stderr).toContain("Allowed choices are bash, zsh, fish");
});
