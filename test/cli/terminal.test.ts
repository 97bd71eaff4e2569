import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatBytes } from "../../src/cli/output.ts";
import { bytesOf } from "../support/bytes.ts";
import { runOnTerminal, type Terminal } from "../support/cli.ts";
import { wireError } from "../support/memory-registry.ts";
import { type PlainServer, startPlainServer } from "../support/plain-server.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
let server: PlainServer;
beforeAll(async () => {
  server = await startPlainServer();
});
afterAll(async () => await server.close());

const on = async (terminal: Terminal, ...args: readonly string[]) =>
  await runOnTerminal([...args, "--server", server.url], terminal);

describe("delete asks", () => {
  test.each([
    ["y\n", 0, false],
    ["YES\n", 0, false],
    ["n\n", 1, true],
    ["\n", 1, true],
    ["yep\n", 1, true],
  ])("%j", async (types, code, stays) => {
    server.registry.seed("descry.local/d", bytesOf(5), MANIFEST, "v1");
    const outcome = await on({ types, stdout: false }, "delete", "descry.local/d:v1");
    expect(outcome.code).toBe(code);
    expect(outcome.stderr).toContain("Delete? [y/N] ");
    expect(server.registry.tags.has("descry.local/d:v1")).toBe(stays);
  });
});

describe("fetch to a terminal", () => {
  test("refuses what is binary, unless told to", async () => {
    server.registry.seed("descry.local/f", bytesOf(1000), "application/gzip", "v1");
    const refused = await on({}, "fetch", "descry.local/f:v1");
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain("-o FILE");
    const told = await on({}, "fetch", "descry.local/f:v1", "-o", "-");
    expect(new Uint8Array(told.bytes)).toEqual(bytesOf(1000));
  });

  test("shows what is text, without drawing over it", async () => {
    server.registry.seed("descry.local/f", new TextEncoder().encode("{}"), MANIFEST, "v2");
    expect(await on({}, "fetch", "descry.local/f:v2")).toMatchObject({ code: 0, stdout: "{}", stderr: "" });
  });
});

describe("progress", () => {
  const fetch = async (terminal: Terminal) => {
    server.registry.seed("descry.local/p", bytesOf(200_000), "application/gzip", "v1");
    return await on(terminal, "fetch", "descry.local/p:v1");
  };

  test("is drawn where a person looks, at most every 100 ms, and taken away", async () => {
    const { code, stderr } = await fetch({ stdout: false });
    expect(code).toBe(0);
    // 13 messages, one each 60 ms: every second one is drawn.
    expect(stderr.match(/\[[#.]{24}\]/g)).toHaveLength(7);
    expect(stderr).toContain("KiB of 195.3 KiB");
    expect(stderr.endsWith("\r\u001b[K")).toBe(true);
  });

  test.each<[string, Terminal]>([
    ["stderr is no terminal", { stdout: false, stderr: false }],
    ["the terminal is dumb", { stdout: false, env: { TERM: "dumb" } }],
  ])("is not drawn where %s", async (_, terminal) => {
    expect(await fetch(terminal)).toMatchObject({ code: 0, stderr: "" });
  });
});

test("an error is one line, whatever a server puts into it", async () => {
  const odd = await startPlainServer(() => ({
    resolve: () => {
      throw wireError(Code.NotFound, "TAG_UNKNOWN", "a\u001b[2Jb\n\u009bdescry: all is well");
    },
  }));
  const outcome = await runOnTerminal(["resolve", "x", "--server", odd.url]);
  await odd.close();
  expect(outcome).toMatchObject({ code: 3, stderr: "descry: a [2Jb descry: all is well\n" });
});

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [5 * 1024 * 1024 + 100_000, "5.1 MiB"],
  [2 ** 53, "8.0 PiB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
