import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytesOf } from "../support/bytes.ts";
import { type Cli, cleanEnvironment, cliArguments, createCli } from "../support/cli.ts";
import { sha256 } from "../support/memory-registry.ts";

let cli: Cli;
const running: ChildProcess[] = [];
beforeAll(async () => {
  cli = await createCli();
});
afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  await cli.close();
});

interface Serving {
  readonly url: string;
  /** The line that says where it listens. */
  readonly announced: string;
  /** SIGTERM; how it ended and what it said after that line. */
  stop(): Promise<{ code: number | null; stdout: string; log: unknown[] }>;
}

async function serve(...args: readonly string[]): Promise<Serving> {
  const flags = ["serve", "--listen", "http://127.0.0.1:0", ...args];
  const child = spawn(process.execPath, [...cliArguments, ...flags], {
    env: cleanEnvironment(cli.home),
    cwd: cli.home,
  });
  running.push(child);
  let stdout = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  const lines = createInterface({ input: child.stderr });
  const [announced] = await once(lines, "line");
  if (typeof announced !== "string") throw new Error("no line");
  const log: unknown[] = [];
  lines.on("line", (line) => log.push(JSON.parse(line)));
  return {
    announced,
    url: /http:\/\/127\.0\.0\.1:\d+/.exec(announced)?.[0] ?? announced,
    stop: async () => {
      child.kill("SIGTERM");
      const [code] = await once(child, "close");
      return { code, stdout, log };
    },
  };
}

const post = async (url: string, method: string, body: unknown): Promise<Response> =>
  await fetch(`${url}/descry.v1.ContentService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

test("--demo serves an image to play with, to curl and to the command line", async () => {
  const server = await serve("--data-dir", "demo", "--demo");
  expect(server.announced).toMatch(/^descry serves on http:\/\/127\.0\.0\.1:\d+; try: curl http:/);
  const answer = await post(server.url, "Resolve", { ref: "descry.local/hello:latest" });
  expect(answer.status).toBe(200);
  const { pinnedRef, desc }: { pinnedRef: string; desc: { digest: string } } = JSON.parse(await answer.text());
  expect(pinnedRef).toBe(`descry.local/hello@${desc.digest}`);

  const resolve = ["resolve", "descry.local/hello:latest", "--server", server.url];
  expect(await cli.descry(resolve)).toMatchObject({ code: 0, stdout: `${pinnedRef}\n`, stderr: "" });
  const fetched = await cli.descry(["fetch", pinnedRef, "--server", server.url]);
  expect(sha256(fetched.bytes)).toBe(desc.digest);
  const platforms = await Promise.all(
    ["linux/amd64", "linux/arm64"].map(
      async (platform) => (await cli.descry([...resolve, "--platform", platform])).stdout,
    ),
  );
  expect(new Set(platforms).size).toBe(2);

  const { code, stdout, log } = await server.stop();
  expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
  expect(log).toContainEqual(
    expect.objectContaining({ event: "call", rpc: "descry.v1.ContentService/Resolve", code: "ok" }),
  );
});

test("commands without a server work beside one, in the same directory", async () => {
  const server = await serve("--data-dir", "shared");
  const bytes = bytesOf(5_000_000);
  const [path, out] = [join(cli.home, "in"), join(cli.home, "out")];
  await writeFile(path, bytes);
  const name = `descry.local/team/blob@${sha256(bytes)}`;
  expect(await cli.descry(["push", "descry.local/team/blob", path, "--data-dir", "shared"])).toMatchObject({ code: 0 });
  expect(await cli.descry(["fetch", name, "-o", out, "--server", server.url])).toMatchObject({ code: 0, stderr: "" });

  const second = await cli.descry(["serve", "--listen", "http://127.0.0.1:0", "--data-dir", "shared"]);
  expect(second).toMatchObject({ code: 1, stdout: "" });
  expect(second.stderr).toContain(server.url);
  expect((await server.stop()).code).toBe(0);
});

test("callers are asked for a token, and held to what they may do", async () => {
  const config = join(cli.home, "callers.toml");
  const hash = createHash("sha256").update("t0ken").digest("hex");
  const grant = `{ verbs = ["pull", "push"], repositories = ["descry.local/team/*"] }`;
  await writeFile(config, `[[caller]]\nname = "ci"\ntoken_sha256 = "${hash}"\nallow = [${grant}]\n`);
  const server = await serve("--data-dir", "callers", "--config", config);
  await writeFile(join(cli.home, "small"), "hello");
  const push = async (repository: string, token?: string) =>
    await cli.descry(["push", repository, join(cli.home, "small"), "--server", server.url], {
      env: token === undefined ? {} : { DESCRY_TOKEN: token },
    });
  const stranger = await push("descry.local/team/a");
  expect(stranger).toMatchObject({ code: 4, stdout: "" });
  expect(stranger.stderr).toContain("set DESCRY_TOKEN");
  expect(await push("descry.local/team/a", "wrong")).toMatchObject({ code: 4, stdout: "" });
  expect(await push("descry.local/other", "t0ken")).toMatchObject({ code: 4, stdout: "" });
  expect(await push("descry.local/team/a", "t0ken")).toMatchObject({ code: 0 });
  const { log } = await server.stop();
  expect(JSON.stringify(log)).not.toContain("t0ken");
});

describe.concurrent("serve refuses", () => {
  test.each([
    ["an address others reach, without callers", ["--listen", "http://0.0.0.0:0"], "configure callers"],
    ["an address that is none", ["--listen", "localhost"], "none of http://HOST:PORT"],
    ["https without a certificate", ["--listen", "https://127.0.0.1:0"], "certificate"],
    ["a certificate without a key", ["--tls-cert", "c.pem"], "--tls-key"],
    ["a drain that is no time", ["--drain-seconds", "soon"], "Give a number of seconds"],
    ["arguments", ["now"], "too many arguments"],
  ])("%s", async (_, args, says) => {
    const outcome = await cli.descry(["serve", "--data-dir", "refused", ...args]);
    expect(outcome).toMatchObject({ code: 2, stdout: "" });
    expect(outcome.stderr).toContain(says);
  });
});
