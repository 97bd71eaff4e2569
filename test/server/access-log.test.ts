import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCaller } from "../../src/content/caller.ts";
import { DescryError } from "../../src/oci/errors.ts";
import type { LogLine } from "../../src/server/access-log.ts";
import { wires } from "../support/clients.ts";
import { ask, dial, talk } from "../support/raw.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let now = Date.UTC(2026, 0, 2, 3, 4, 5, 600);
const json = { "Content-Type": "application/json" };
const RESOLVE = "/descry.v1.ContentService/Resolve";

const PASSWORD = "correct horse battery";
const TOKEN = "s3cr3t-bearer-token";
const registryAuth = Buffer.from(JSON.stringify({ username: "someone", password: PASSWORD })).toString("base64url");

beforeAll(async () => {
  server = await startTestServer({
    clock: () => (now += 7),
    authenticate: () => createCaller("ci", [{ verbs: ["pull", "push"], repositories: ["*"] }]),
    service: {
      resolve: ({ ref }, { requestHeader }) => {
        if (ref === "denied") throw new DescryError("CALLER_DENIED", "no");
        if (ref === "fault") {
          const header = requestHeader.get("X-Registry-Auth") ?? "";
          const decoded = Buffer.from(header, "base64url").toString();
          const cause = new Error(`header X-Registry-Auth: ${header}, that is ${decoded}`);
          throw new Error(`cannot use ${requestHeader.get("Authorization") ?? ""}`, { cause });
        }
        return { ref };
      },
      async *fetchStream({ ref }) {
        yield { offset: 1n };
        if (ref === "broken") throw new DescryError("STORE_CORRUPT", "rotten", { cause: new Error("on shelf 3") });
        yield { offset: 2n };
        while (ref === "flood") yield { part: { case: "data" as const, value: new Uint8Array(4 << 20) } };
        while (ref === "endless") {
          await turn();
          yield { part: { case: "data" as const, value: new Uint8Array(1000) } };
        }
      },
      pushStream: async (messages) => {
        for await (const _ of messages);
        return {};
      },
    },
  });
});
afterAll(() => server.stop());

function resolve(id: string, body: string, headers: Record<string, string> = {}) {
  const all = { ...json, "X-Request-Id": id, ...headers };
  return ask(`${server.http}${RESOLVE}?access_token=${TOKEN}`, { method: "POST", headers: all }, body);
}

const lineOf = (id: string, event = "call"): Promise<LogLine> =>
  server.line((line) => line.event === event && "request_id" in line && line.request_id === id);

test("a call is one line", async () => {
  await resolve("whole", '{"ref":"x"}');
  expect(await lineOf("whole")).toEqual({
    event: "call",
    time: expect.stringMatching(/^2026-01-02T03:04:05\.\d{3}Z$/),
    request_id: "whole",
    caller: "ci",
    rpc: "descry.v1.ContentService/Resolve",
    method: "POST",
    path: RESOLVE,
    protocol: "connect",
    http: "1.1",
    status: 200,
    code: "ok",
    reason: "",
    ms: expect.any(Number),
    messages_in: 1,
    messages_out: 1,
    // {"ref":"x"} both ways
    bytes_in: 11,
    bytes_out: 11,
    peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
  });
  expect(server.lines.filter((line) => "request_id" in line && line.request_id === "whole")).toHaveLength(1);
});

describe("how a call ended", () => {
  test.each([
    ["denied", '{"ref":"denied"}', { status: 403, code: "permission_denied", reason: "CALLER_DENIED" }],
    ["fault", '{"ref":"fault"}', { status: 500, code: "internal", reason: "INTERNAL" }],
    ["misspelt", '{"rref":"x"}', { status: 400, code: "invalid_argument", reason: "", messages_in: 0 }],
  ])("%s", async (id, body, expected) => {
    await resolve(id, body);
    expect(await lineOf(id)).toMatchObject({ rpc: "descry.v1.ContentService/Resolve", ...expected });
  });

  test("refused before any RPC", async () => {
    await ask(`${server.http}/v2/?token=${TOKEN}`, { headers: { "X-Request-Id": "path" } });
    expect(await lineOf("path")).toMatchObject({
      rpc: "",
      path: "/v2/",
      protocol: "http",
      status: 404,
      reason: "PATH_UNKNOWN",
    });
    await ask(`${server.http}${RESOLVE}`, { headers: { "X-Request-Id": "origin", Origin: "https://evil.example" } });
    expect(await lineOf("origin")).toMatchObject({ status: 403, reason: "ORIGIN_NOT_ALLOWED" });
  });

  test("no HTTP at all", async () => {
    await talk(server.http, "\x01\x02\r\n");
    const line = await server.line(({ event }) => event === "bad_request");
    expect(line).toMatchObject({ code: "HPE_INVALID_METHOD", peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
  });
});

describe.each(wires)("$name", (wire) => {
  const id = (name: string) => `${name}-${wires.indexOf(wire)}`;

  test("messages and bytes are counted both ways", async () => {
    const client = wire.open(server);
    const messages = (async function* () {
      for (let at = 0; at < 5; at++) yield { part: { case: "data" as const, value: new Uint8Array(1000) } };
    })();
    await client.content.pushStream(messages, { headers: { "X-Request-Id": id("push") } });
    const pushed = await lineOf(id("push"));
    expect(pushed).toMatchObject({ protocol: wire.protocol, messages_in: 5, messages_out: 1, code: "ok" });
    expect(pushed).toHaveProperty(
      "bytes_in",
      expect.toSatisfy((count: number) => count >= 5000 && count < 8000),
    );
    for await (const _ of client.content.fetchStream({}, { headers: { "X-Request-Id": id("fetch") } }));
    expect(await lineOf(id("fetch"))).toMatchObject({ messages_in: 1, messages_out: 2, code: "ok", http: wire.http });
    client.close();
  });

  test("an error in a stream is in its line, though its status is 200", async () => {
    const client = wire.open(server);
    const options = { headers: { "X-Request-Id": id("broken") } };
    const reading = (async () => {
      for await (const _ of client.content.fetchStream({ ref: "broken" }, options));
    })();
    await reading.catch(() => undefined);
    expect(await lineOf(id("broken"))).toMatchObject({ code: "data_loss", reason: "STORE_CORRUPT", messages_out: 1 });
    expect(await lineOf(id("broken"), "fault")).toMatchObject({ error: expect.stringContaining("on shelf 3") });
    client.close();
  });

  test("a client that goes away has canceled, which is no fault", async () => {
    const client = wire.open(server);
    const stop = new AbortController();
    const options = { headers: { "X-Request-Id": id("gone") }, signal: stop.signal };
    const reading = (async () => {
      for await (const _ of client.content.fetchStream({ ref: "endless" }, options)) stop.abort();
    })();
    await reading.catch(() => undefined);
    expect(await lineOf(id("gone"))).toMatchObject({ code: "canceled" });
    expect(server.lines.filter((line) => line.event === "fault" && line.request_id === id("gone"))).toEqual([]);
    client.close();
  });
});

test("a client that breaks off in the middle of its request has canceled", async () => {
  const socket = dial(server.http);
  await once(socket, "connect");
  const head = `POST ${RESOLVE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Request-Id: broken-off\r\n`;
  socket.write(`${head}Expect: 100-continue\r\nContent-Length: 11\r\n\r\n`);
  // The server asks for the body: from now on it waits for it.
  await once(socket, "data");
  socket.resetAndDestroy();
  expect(await lineOf("broken-off")).toMatchObject({ status: 0, code: "canceled", bytes_in: 0 });
  expect(server.lines.filter(({ event }) => event === "bad_request")).toHaveLength(1);
});

test("a client that resets its download has canceled, which is no fault", async () => {
  const ids = Array.from({ length: 5 }, (_, at) => `download-reset-${at}`);
  for (const id of ids) {
    const socket = dial(server.http);
    const head = `POST /descry.v1.ContentService/FetchStream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/connect+proto`;
    // Field 1, ref: "flood".
    const body = Buffer.concat([Buffer.from([0, 0, 0, 0, 7, 10, 5]), Buffer.from("flood")]);
    socket.write(`${head}\r\nX-Request-Id: ${id}\r\nContent-Length: ${body.byteLength}\r\n\r\n`);
    socket.write(body);
    await once(socket, "data");
    // More than the buffers of both kernels hold is on its way: it is a write that hears of the reset.
    socket.resetAndDestroy();
    expect(await lineOf(id)).toMatchObject({ status: 200, code: "canceled" });
  }
  expect(server.lines.filter((line) => line.event === "fault" && ids.includes(line.request_id))).toEqual([]);
});

test("a fault has a line with its stack and causes, and no secret is in any", async () => {
  await resolve("secret", '{"ref":"fault"}', {
    Authorization: `Bearer ${TOKEN}`,
    "X-Registry-Auth": registryAuth,
    "X-Registry-Config": Buffer.from(JSON.stringify({ "ghcr.io": { identitytoken: TOKEN } })).toString("base64url"),
    Cookie: "session=do-not-look",
  });
  const fault = await lineOf("secret", "fault");
  expect(fault).toMatchObject({ error: expect.stringMatching(/^Error: cannot use .*access-log\.test\.ts.*cause/s) });
  const log = JSON.stringify(server.lines);
  for (const secret of [TOKEN, PASSWORD, registryAuth, "do-not-look"]) expect(log).not.toContain(secret);
});
