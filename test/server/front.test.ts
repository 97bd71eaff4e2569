import { once } from "node:events";
import { connect as connect2, type IncomingHttpHeaders } from "node:http2";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createHostRule } from "../../src/server/hosts.ts";
import { parseListen } from "../../src/server/address.ts";
import { ask } from "../support/raw.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let open: TestServer;
const RESOLVE = "/descry.v1.ContentService/Resolve";
const json = { "Content-Type": "application/json" };

beforeAll(async () => {
  const service = { resolve: ({ ref }: { ref: string }) => ({ ref }) };
  server = await startTestServer({ service, allowedHosts: ["Registry.Example."] });
  open = await startTestServer({ service, allowedOrigins: ["https://console.example"] });
});
afterAll(() => Promise.all([server.stop(), open.stop()]));

describe("which hosts a server answers to", () => {
  const table: readonly [listen: string, host: string, answered: boolean][] = [
    ["http://127.0.0.1:7070", "localhost", true],
    ["http://127.0.0.1:7070", "descry.localhost", true],
    ["http://127.0.0.1:7070", "127.0.0.1", true],
    ["http://127.0.0.1:7070", "127.9.9.9", true],
    ["http://127.0.0.1:7070", "::1", true],
    ["http://127.0.0.1:7070", "registry.example", true],
    ["http://127.0.0.1:7070", "evil.example", false],
    ["http://127.0.0.1:7070", "localhost.evil.example", false],
    ["http://127.0.0.1:7070", "notlocalhost", false],
    ["http://127.0.0.1:7070", "127.0.0.1.nip.io", false],
    ["http://127.0.0.1:7070", "sub.registry.example", false],
    ["http://127.0.0.1:7070", "10.0.0.1", false],
    ["http://10.0.0.1:7070", "10.0.0.1", true],
    ["http://10.0.0.1:7070", "10.0.0.2", false],
    ["http://0.0.0.0:7070", "10.0.0.1", true],
    ["http://[::]:7070", "fe80::1", true],
    ["http://0.0.0.0:7070", "evil.example", false],
    ["http://build.internal:7070", "build.internal", true],
    ["unix:///run/descry.sock", "anything", true],
  ];
  test.each(table)("%s, called %s: %j", (listen, host, answered) => {
    expect(createHostRule(parseListen(listen), ["Registry.Example."])(host)).toBe(answered);
  });

  test("a web page that points its own name here gets nothing (DNS rebinding)", async () => {
    const answer = await ask(
      `${server.http}${RESOLVE}`,
      { method: "POST", headers: { ...json, Host: "evil.example" } },
      '{"ref":"x"}',
    );
    expect(answer.status).toBe(421);
    expect(JSON.parse(answer.body)).toMatchObject({
      code: "permission_denied",
      message: expect.stringContaining("evil.example"),
    });
    expect((await ask(`${server.http}/healthz`, { headers: { Host: "evil.example" } })).status).toBe(421);
  });

  test.each(["localhost:1", "REGISTRY.example", "registry.example.:443"])("%s is this server", async (host) => {
    expect((await ask(`${server.http}/healthz`, { headers: { Host: host } })).status).toBe(200);
  });

  test("over a unix socket the host means nothing", async () => {
    const socketPath = server.unix.slice("unix://".length);
    expect((await ask("http://evil.example/healthz", { socketPath })).status).toBe(200);
  });

  /** gRPC core sends a unix target's path, percent-encoded, as :authority (grpc/grpc, doc/naming.md). */
  test("over a unix socket the host need not be one", async () => {
    const socketPath = server.unix.slice("unix://".length);
    const authority = encodeURIComponent(socketPath);
    const sent = { method: "POST", headers: { ...json, Host: authority }, socketPath };
    expect((await ask(`http://localhost${RESOLVE}`, sent, '{"ref":"x"}')).status).toBe(200);

    const session = connect2("http://localhost", { createConnection: () => connect(socketPath) });
    const stream = session.request({
      ":method": "POST",
      ":path": RESOLVE,
      ":authority": authority,
      "content-type": "application/json",
    });
    stream.end('{"ref":"x"}');
    const [headers]: IncomingHttpHeaders[] = await once(stream, "response");
    session.destroy();
    expect(headers?.[":status"]).toBe(200);
  });
});

describe("web pages", () => {
  const post = (to: TestServer, headers: Record<string, string>) =>
    ask(`${to.http}${RESOLVE}`, { method: "POST", headers: { ...json, ...headers } }, '{"ref":"x"}');

  test.each([
    ["a page", { Origin: "https://evil.example" }],
    ["a page of a configured origin's other scheme", { Origin: "http://console.example" }],
    ["a sandboxed page or a file", { Origin: "null" }],
    ["a page's simple request", { Origin: "https://evil.example", "Content-Type": "text/plain" }],
    ["an image or a script of another site", { "Sec-Fetch-Site": "cross-site" }],
    ["an image of a sibling site", { "Sec-Fetch-Site": "same-site" }],
  ])("%s reaches nothing", async (_, headers) => {
    for (const each of [server, open]) {
      const answer = await post(each, headers);
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.body)).toMatchObject({ code: "permission_denied" });
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    }
  });

  test("no page calls a server without configured origins, nor may it ask", async () => {
    const headers = { Origin: "https://console.example", "Access-Control-Request-Method": "POST" };
    expect((await post(server, { Origin: "https://console.example" })).status).toBe(403);
    expect((await ask(`${server.http}${RESOLVE}`, { method: "OPTIONS", headers })).status).toBe(403);
  });

  test("a page of a configured origin may call, and read what it needs", async () => {
    const answer = await post(open, { Origin: "https://console.example" });
    expect(answer.status).toBe(200);
    expect(answer.headers["access-control-allow-origin"]).toBe("https://console.example");
    expect(answer.headers["access-control-allow-credentials"]).toBeUndefined();
    expect(answer.headers.vary).toContain("Origin");
    const exposed = answer.headers["access-control-expose-headers"]?.toLowerCase().split(", ");
    for (const name of ["etag", "x-request-id", "www-authenticate", "grpc-status", "grpc-message"])
      expect(exposed).toContain(name);
  });

  test("its preflight is answered", async () => {
    const headers = {
      Origin: "https://console.example",
      "Access-Control-Request-Method": "POST",
      "Access-Control-Request-Headers": "authorization,content-type,x-registry-auth",
    };
    const answer = await ask(`${open.http}${RESOLVE}`, { method: "OPTIONS", headers });
    expect(answer.status).toBe(204);
    expect(answer.headers["access-control-allow-methods"]?.split(", ").toSorted()).toEqual(["GET", "POST"]);
    const allowed = answer.headers["access-control-allow-headers"]?.toLowerCase().split(", ");
    for (const name of [
      "authorization",
      "content-type",
      "x-registry-auth",
      "x-registry-config",
      "connect-timeout-ms",
      "x-grpc-web",
    ])
      expect(allowed).toContain(name);
  });

  test("who sends no Origin is no page", async () => {
    expect((await post(open, {})).status).toBe(200);
    expect((await post(server, { "Sec-Fetch-Site": "none" })).status).toBe(200);
  });
});

describe("probes", () => {
  test.each(["/healthz", "/readyz"])("%s", async (path) => {
    const got = await ask(`${server.http}${path}`);
    expect(got).toMatchObject({ status: 200, body: "ok\n" });
    expect(got.headers["cache-control"]).toBe("no-store");
    expect(await ask(`${server.http}${path}`, { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
    const posted = await ask(`${server.http}${path}`, { method: "POST" });
    expect(posted.status).toBe(405);
    expect(posted.headers.allow).toBe("GET, HEAD");
  });

  test("a server that is not ready lives all the same", async () => {
    server.setReady(false);
    expect((await ask(`${server.http}/readyz`)).status).toBe(503);
    expect((await ask(`${server.http}/healthz`)).status).toBe(200);
    server.setReady(true);
    expect((await ask(`${server.http}/readyz`)).status).toBe(200);
  });
});

describe("X-Request-Id", () => {
  test("a sane one is taken over", async () => {
    const { headers } = await ask(`${server.http}/healthz`, { headers: { "X-Request-Id": "01HX-a.b:c/d=" } });
    expect(headers["x-request-id"]).toBe("01HX-a.b:c/d=");
  });

  test.each(["", "a b", "x".repeat(129), '"quoted"'])("%j is replaced", async (id) => {
    const { headers } = await ask(`${server.http}/nowhere`, { headers: { "X-Request-Id": id } });
    expect(headers["x-request-id"]).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
  });
});
