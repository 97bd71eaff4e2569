import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ContentService, createDescry, type Descry } from "../../src/sdk/index.ts";
import { createNodeDescry, fetchToFile, pushFile } from "../../src/sdk/node/index.ts";
import { bytesOf, collect } from "../support/bytes.ts";
import { createMemoryRegistry, sha256 } from "../support/memory-registry.ts";
import { startPlainServer } from "../support/plain-server.ts";

const REPOSITORY = "descry.local/team/app";
const large = bytesOf(5 * 1024 * 1024);
const opened: (() => unknown)[] = [];
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "descry-sdk-"));
  opened.push(() => rm(directory, { recursive: true, force: true }));
});
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

async function roundTrip(descry: Descry): Promise<void> {
  const { desc } = await descry.push(`${REPOSITORY}:v1`, large);
  expect((await descry.resolve(`${REPOSITORY}:v1`)).desc.digest).toBe(sha256(large));
  expect(sha256(await collect((await descry.fetchStream(`${REPOSITORY}:v1`)).bytes))).toBe(desc.digest);
}

test("a unix socket is reached by its URL", async () => {
  const server = await startPlainServer(undefined, join(directory, "socket"));
  opened.push(() => server.close());
  const descry = createDescry({ baseUrl: `unix://${directory}/socket` });
  opened.push(() => descry.close());
  await roundTrip(descry);
});

test.each(["ftp://host", "host:7070", "unix:relative", ""])("%j is no server URL", (baseUrl) => {
  expect(() => createDescry({ baseUrl })).toThrow(expect.objectContaining({ reason: "FIELD_INVALID" }));
});

test("HTTP/2 has windows for a fast link", async () => {
  const registry = createMemoryRegistry();
  const server = http2.createServer(
    connectNodeAdapter({ routes: (router) => void router.service(ContentService, registry.service) }),
  );
  const windows: (number | undefined)[] = [];
  server.on("session", (session) => {
    session.on("remoteSettings", (settings: http2.Settings) => windows.push(settings.initialWindowSize));
    session.on("stream", () => windows.push(session.state.remoteWindowSize));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as AddressInfo;
  const descry = createNodeDescry({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: "2" });
  opened.push(() => descry.close());
  await roundTrip(descry);
  expect(windows[0]).toBe(8 * 1024 * 1024);
  expect(Math.max(...windows.map((window) => window ?? 0))).toBeGreaterThan(16 * 1024 * 1024);
});

test("nothing keeps a process alive after its last call, not even an early answer", async () => {
  const server = await startPlainServer();
  opened.push(() => server.close());
  server.registry.seed(REPOSITORY, large);
  const script = `
    import { createDescry } from "./src/sdk/index.ts";
    const descry = createDescry({ baseUrl: process.argv[1] });
    const bytes = new Uint8Array(${large.byteLength});
    const descriptor = { mediaType: "", digest: process.argv[2], size: bytes.byteLength };
    const source = (async function* () { for (;;) yield bytes; })();
    const { outcome } = await descry.push("${REPOSITORY}", source, { descriptor });
    for await (const chunk of (await descry.fetchStream("${REPOSITORY}@" + process.argv[2])).bytes) break;
    console.log(outcome);`;
  const args = ["--conditions=descry-source", "--input-type=module", "-e", script, server.url, sha256(large)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
  expect(stdout).toBe("existed\n");
});

describe("files", () => {
  async function start(): Promise<Descry> {
    const server = await startPlainServer((registry) => ({
      async *fetchStream(request, context) {
        for await (const message of registry.service.fetchStream(request, context)) {
          if (message.part?.case === "data" && request.ref.endsWith(":bad")) message.part.value.fill(0);
          yield message;
        }
      },
    }));
    const descry = createDescry({ baseUrl: server.url });
    opened.push(
      () => server.close(),
      () => descry.close(),
    );
    return descry;
  }

  test("go up and come down", async () => {
    const descry = await start();
    await writeFile(join(directory, "in"), large);
    const receipt = await pushFile(descry, `${REPOSITORY}:v1`, join(directory, "in"), { mediaType: "text/plain" });
    expect(receipt.desc).toEqual({ mediaType: "text/plain", digest: sha256(large), size: large.byteLength });
    const fetched = await fetchToFile(descry, `${REPOSITORY}:v1`, join(directory, "out"));
    expect(fetched.desc).toEqual(receipt.desc);
    expect(sha256(await readFile(join(directory, "out")))).toBe(sha256(large));
    expect((await readdir(directory)).toSorted()).toEqual(["in", "out"]);
  });

  test("are replaced only by content that is whole and right", async () => {
    const descry = await start();
    await descry.push(`${REPOSITORY}:bad`, large);
    await writeFile(join(directory, "out"), "before");
    const fetching = fetchToFile(descry, `${REPOSITORY}:bad`, join(directory, "out"));
    await expect(fetching).rejects.toMatchObject({ reason: "DIGEST_MISMATCH" });
    expect(await readFile(join(directory, "out"), "utf8")).toBe("before");
    expect(await readdir(directory)).toEqual(["out"]);
  });

  test("a link stays a link, and a pipe is written to", async () => {
    const descry = await start();
    await descry.push(`${REPOSITORY}:v1`, bytesOf(10));
    await mkdir(join(directory, "elsewhere"));
    await writeFile(join(directory, "elsewhere", "out"), "before");
    await symlink("elsewhere/out", join(directory, "link"));
    await fetchToFile(descry, `${REPOSITORY}:v1`, join(directory, "link"));
    expect(await readlink(join(directory, "link"))).toBe("elsewhere/out");
    expect(sha256(await readFile(join(directory, "elsewhere", "out")))).toBe(sha256(bytesOf(10)));
    const pipe = join(directory, "pipe");
    await promisify(execFile)("mkfifo", [pipe]);
    const [read] = await Promise.all([readFile(pipe), fetchToFile(descry, `${REPOSITORY}:v1`, pipe)]);
    expect(sha256(read)).toBe(sha256(bytesOf(10)));
    expect((await stat(pipe)).isFIFO()).toBe(true);
  });
});
