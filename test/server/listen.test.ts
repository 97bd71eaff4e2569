import { once } from "node:events";
import { mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { anonymousCaller } from "../../src/content/caller.ts";
import { parseListen } from "../../src/server/address.ts";
import { type DescryServer, startServer } from "../../src/server/server.ts";
import { ask, dial, talk } from "../support/raw.ts";
import { testTls } from "../support/tls.ts";

let folder: string;
const running: DescryServer[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "descry-"));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.drain()));
  await rm(folder, { recursive: true, force: true });
});

async function serve(...listen: readonly string[]): Promise<DescryServer> {
  const server = await startServer({
    listen: listen.map(parseListen),
    routes: () => undefined,
    authenticate: () => anonymousCaller,
    tls: testTls,
    limits: { drainMs: 0, abortGraceMs: 0, headersTimeoutMs: 300, lingerMs: 100 },
  });
  running.push(server);
  return server;
}

const isWell = async (path: string) => (await ask("http://localhost/healthz", { socketPath: path })).status === 200;

describe("a unix socket", () => {
  test("is its owner's alone, and goes with its server", async () => {
    const path = join(folder, "s");
    const server = await serve(`unix://${path}`);
    expect(server.addresses).toEqual([`unix://${path}`]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(["s"]);
    expect(await isWell(path)).toBe(true);
    await server.drain();
    expect(await readdir(folder)).toEqual([]);
  });

  test("that a dead server left is replaced", async () => {
    const path = join(folder, "s");
    await leaveStale(path);
    await serve(`unix://${path}`);
    expect(await isWell(path)).toBe(true);
  });

  test("of a live server is refused, and stays", async () => {
    const path = join(folder, "s");
    await serve(`unix://${path}`);
    await expect(serve(`unix://${path}`)).rejects.toMatchObject({
      reason: "FIELD_INVALID",
      message: expect.stringContaining("another server listens there"),
    });
    expect(await isWell(path)).toBe(true);
    expect(await readdir(folder)).toEqual(["s"]);
  });

  test("never replaces a file", async () => {
    const path = join(folder, "s");
    await writeFile(path, "precious");
    await expect(serve(`unix://${path}`)).rejects.toMatchObject({ reason: "FIELD_INVALID" });
    expect(await readdir(folder)).toEqual(["s"]);
  });

  test("in no folder is refused by name", async () => {
    const path = join(folder, "none", "s");
    await expect(serve(`unix://${path}`)).rejects.toMatchObject({
      reason: "FIELD_INVALID",
      message: expect.stringContaining(dirname(path)),
    });
  });

  test("of a successor is left to it", async () => {
    const path = join(folder, "s");
    const first = await serve(`unix://${path}`);
    await rm(path);
    await serve(`unix://${path}`);
    await first.drain();
    expect(await isWell(path)).toBe(true);
  });

  /** A socket file as kill -9 leaves it: Node removes the file of a server it closes, so that the file is moved away. */
  async function leaveStale(path: string): Promise<void> {
    const dead: Server = createServer().listen(join(folder, "dead"));
    await once(dead, "listening");
    await rename(join(folder, "dead"), path);
    dead.close();
    await once(dead, "close");
  }
});

describe("a TCP address", () => {
  test("that is taken is refused by name, and nothing stays open", async () => {
    const [taken = ""] = (await serve("http://127.0.0.1:0")).addresses;
    const path = join(folder, "s");
    await expect(serve(`unix://${path}`, taken)).rejects.toMatchObject({
      reason: "FIELD_INVALID",
      message: expect.stringContaining(taken),
    });
    expect(await readdir(folder)).toEqual([]);
  });

  test("of another machine's reach needs callers", async () => {
    await expect(serve("http://0.0.0.0:0")).rejects.toMatchObject({ reason: "FIELD_INVALID" });
  });

  test("of https needs a certificate", async () => {
    const options = { routes: () => undefined, authenticate: () => anonymousCaller };
    await expect(startServer({ ...options, listen: [parseListen("https://127.0.0.1:0")] })).rejects.toMatchObject({
      reason: "FIELD_INVALID",
    });
  });

  test("takes only so many connections", async () => {
    const server = await startServer({
      listen: [parseListen("http://127.0.0.1:0")],
      routes: () => undefined,
      authenticate: () => anonymousCaller,
      // Those that say nothing are kept; only the one too many is closed.
      limits: { drainMs: 0, abortGraceMs: 0, headersTimeoutMs: 600_000, maxConnections: 2 },
    });
    running.push(server);
    const [url = ""] = server.addresses;
    const kept = [dial(url), dial(url)];
    await Promise.all(kept.map((socket) => once(socket, "connect")));
    expect(await talk(url)).toBe("");
    expect(kept.map((socket) => socket.destroyed)).toEqual([false, false]);
  });
});

describe("TLS", () => {
  test.each([
    { name: "says nothing after its handshake", alpn: "http/1.1", bytes: "" },
    { name: "stalls in a header", alpn: "http/1.1", bytes: "GET / HTTP/1.1\r\n" },
    { name: "says nothing in HTTP/2", alpn: "h2", bytes: "" },
  ])("a client that $name is let go", async ({ alpn, bytes }) => {
    const [url = ""] = (await serve("https://127.0.0.1:0")).addresses;
    const socket = connectTls({
      port: Number(new URL(url).port),
      host: "127.0.0.1",
      ca: testTls.cert,
      ALPNProtocols: [alpn],
    });
    socket.on("error", () => undefined);
    await once(socket, "secureConnect");
    expect(socket.alpnProtocol).toBe(alpn);
    socket.write(bytes);
    socket.resume();
    await new Promise((resolve) => socket.on("close", resolve));
  });

  test("a client that never shakes hands is let go", async () => {
    const [url = ""] = (await serve("https://127.0.0.1:0")).addresses;
    expect(await talk(url)).toBe("");
    expect(await talk(url, "GET / HTTP/1.1\r\n\r\n")).toBe("");
  });
});
