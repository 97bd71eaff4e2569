import { once } from "node:events";
import { connect as connect2, type IncomingHttpHeaders } from "node:http2";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ContentService } from "../../src/gen/descry/v1/content_service_pb.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { dial, request, talk } from "../support/raw.ts";

const RESOLVE = "/descry.v1.ContentService/Resolve";
const PUSH_STREAM = "/descry.v1.ContentService/PushStream";
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** Type 4, length 0, stream 0 (RFC 9113 §6.5). */
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** Flags 0 and a length of 4 GiB - 1. */
const HUGE_ENVELOPE = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);

let server: TestServer;
let host: string;

beforeAll(async () => {
  // Short enough to wait for, long enough for a request on a busy machine.
  server = await startTestServer({
    limits: { headersTimeoutMs: 400, bodyIdleMs: 200, sessionIdleMs: 200, lingerMs: 200, readMaxBytes: 1 << 20 },
    service: { resolve: ({ ref }) => ({ ref }) },
  });
  host = new URL(server.http).host;
});

afterAll(() => server.stop());

/** Whether the server still does its work. */
async function answers(): Promise<boolean> {
  const transport = createConnectTransport({ baseUrl: server.http, httpVersion: "1.1" });
  const { ref } = await createClient(ContentService, transport).resolve({ ref: "alive" });
  return ref === "alive";
}

const json = "Content-Type: application/json\nContent-Length: 12";

describe("over HTTP/1.1", () => {
  const cases: readonly { name: string; bytes: () => readonly (string | Uint8Array)[]; answer: RegExp }[] = [
    {
      name: "a Host that makes no URL",
      bytes: () => [request(`POST ${RESOLVE} HTTP/1.1\nHost: a b\n${json}`, '{"ref":"xx"}')],
      answer: /^HTTP\/1\.1 400 .*"code":"invalid_argument"/s,
    },
    {
      name: "a Host with a user",
      bytes: () => [request(`POST ${RESOLVE} HTTP/1.1\nHost: localhost@evil.example\n${json}`, '{"ref":"xx"}')],
      answer: /^HTTP\/1\.1 400 /,
    },
    { name: "no Host", bytes: () => [request(`GET /healthz HTTP/1.1`)], answer: /^HTTP\/1\.1 400 / },
    {
      name: "HTTP/1.0 without Host",
      bytes: () => [request(`POST ${RESOLVE} HTTP/1.0\n${json}`, '{"ref":"xx"}')],
      answer: /^HTTP\/1\.1 400 /,
    },
    {
      name: "HTTP/1.0 with Host",
      bytes: () => [request(`POST ${RESOLVE} HTTP/1.0\nHost: ${host}\n${json}`, '{"ref":"xx"}')],
      answer: /^HTTP\/1\.1 200 .*\{"ref":"xx"\}/s,
    },
    {
      name: "no Content-Type",
      bytes: () => [request(`POST ${RESOLVE} HTTP/1.1\nHost: ${host}\nContent-Length: 12`, '{"ref":"xx"}')],
      answer: /^HTTP\/1\.1 415 .*accept-post: application\/json.*there was none/is,
    },
    {
      name: "bytes that are no HTTP",
      bytes: () => [Buffer.from([0, 1, 2, 3, 255, 13, 10])],
      answer: /^HTTP\/1\.1 400 /,
    },
    { name: "a TLS hello", bytes: () => [Buffer.from([22, 3, 1, 2, 0, 1, 0, 1])], answer: /^HTTP\/1\.1 400 / },
    {
      name: "a header that does not end",
      bytes: () => [`GET / HTTP/1.1\r\nHost: ${host}\r\nX-Long: ${"x".repeat(200_000)}`],
      answer: /^HTTP\/1\.1 431 |^$/,
    },
    {
      name: "an absolute-form target",
      bytes: () => [request(`POST http://${host}${RESOLVE} HTTP/1.1\nHost: ${host}\n${json}`, '{"ref":"xx"}')],
      answer: /^HTTP\/1\.1 200 .*\{"ref":"xx"\}/s,
    },
    {
      name: "an absolute-form target of another host",
      bytes: () => [request(`POST http://evil.example${RESOLVE} HTTP/1.1\nHost: ${host}\n${json}`, '{"ref":"xx"}')],
      answer: /^HTTP\/1\.1 421 /,
    },
    {
      name: "CONNECT",
      bytes: () => [request(`CONNECT evil.example:443 HTTP/1.1\nHost: evil.example:443`)],
      answer: /^$/,
    },
    {
      name: "two lengths for one body",
      bytes: () => [
        request(`POST ${RESOLVE} HTTP/1.1\nHost: ${host}\n${json}\nTransfer-Encoding: chunked`, "0\r\n\r\n"),
      ],
      answer: /^HTTP\/1\.1 400 /,
    },
    {
      name: "an envelope of 4 GiB",
      bytes: () => [
        `POST ${PUSH_STREAM} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/connect+proto\r\n` +
          `Transfer-Encoding: chunked\r\n\r\n5\r\n`,
        HUGE_ENVELOPE,
        "\r\n",
      ],
      answer: /^HTTP\/1\.1 200 .*"code":"resource_exhausted"/s,
    },
    {
      name: "a body longer than any message",
      bytes: () => [
        `POST ${RESOLVE} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 4294967296\r\n\r\n{`,
      ],
      answer: /^HTTP\/1\.1 429 .*"code":"resource_exhausted"/s,
    },
    {
      name: "a gzip bomb",
      bytes: () => {
        const bomb = gzipSync(Buffer.alloc(64 << 20));
        const head = `POST ${RESOLVE} HTTP/1.1\nHost: ${host}\nContent-Type: application/json\nContent-Encoding: gzip`;
        return [request(`${head}\nContent-Length: ${bomb.byteLength}`), bomb];
      },
      answer: /^HTTP\/1\.1 429 .*"code":"resource_exhausted"/s,
    },
    {
      name: "a gzip bomb in a stream",
      bytes: () => {
        const bomb = gzipSync(Buffer.alloc(64 << 20));
        const envelope = Buffer.alloc(5 + bomb.byteLength);
        envelope.writeUInt8(1);
        envelope.writeUInt32BE(bomb.byteLength, 1);
        envelope.set(bomb, 5);
        const head = `POST ${PUSH_STREAM} HTTP/1.1\nHost: ${host}\nContent-Type: application/connect+proto`;
        return [request(`${head}\nConnect-Content-Encoding: gzip\nContent-Length: ${envelope.byteLength}`), envelope];
      },
      answer: /^HTTP\/1\.1 200 .*"code":"resource_exhausted"/s,
    },
    {
      name: "JSON that ends too early",
      bytes: () => [request(`POST ${RESOLVE} HTTP/1.1\nHost: ${host}\n${json}`, '{"ref":"xxxx')],
      answer: /^HTTP\/1\.1 400 .*"code":"invalid_argument"/s,
    },
    {
      name: "a misspelt field",
      bytes: () => [request(`POST ${RESOLVE} HTTP/1.1\nHost: ${host}\n${json}`, '{"rref":"x"}')],
      answer: /^HTTP\/1\.1 400 .*"code":"invalid_argument".*rref/s,
    },
    {
      name: "a query that is no base64",
      bytes: () => [request(`GET ${RESOLVE}?connect=v1&encoding=proto&base64=1&message=*** HTTP/1.1\nHost: ${host}`)],
      answer: /^HTTP\/1\.1 400 .*"code":"invalid_argument"/s,
    },
    {
      name: "a time-out that is no number",
      bytes: () => [
        request(`POST ${RESOLVE} HTTP/1.1\nHost: ${host}\nConnect-Timeout-Ms: -1\n${json}`, '{"ref":"xx"}'),
      ],
      answer: /^HTTP\/1\.1 400 .*"code":"invalid_argument"/s,
    },
    {
      name: "a time-out of a hundred days",
      bytes: () => [
        request(`POST ${RESOLVE} HTTP/1.1\nHost: ${host}\nConnect-Timeout-Ms: 8640000000\n${json}`, '{"ref":"xx"}'),
      ],
      answer: /^HTTP\/1\.1 200 /,
    },
    {
      name: "a method that nothing takes",
      bytes: () => [request(`DELETE ${RESOLVE} HTTP/1.1\nHost: ${host}`)],
      answer: /^HTTP\/1\.1 405 .*Allow: POST, GET, HEAD/s,
    },
    {
      name: "a path that nothing is at",
      bytes: () => [request(`GET /v2/ HTTP/1.1\nHost: ${host}`)],
      answer: /^HTTP\/1\.1 404 .*ContentService\/Resolve/s,
    },
  ];

  test.each(cases)("$name", async ({ bytes, answer }) => {
    expect(await talk(server.http, ...bytes())).toMatch(answer);
    expect(await answers()).toBe(true);
  });

  test("a connection that says nothing is closed", async () => {
    expect(await talk(server.http)).toBe("");
  });

  test.each(["P", "PRI", "PRI * HT"])("a connection that says only %j is closed", async (start) => {
    await talk(server.http, start);
    expect(await answers()).toBe(true);
  });

  test("a header that stalls is given up", async () => {
    expect(await talk(server.http, `POST ${RESOLVE} HTTP/1.1\r\nHost: ${host}\r\n`)).toMatch(/^HTTP\/1\.1 408 |^$/);
  });

  test("a body that stalls is given up, and the client told", async () => {
    const answer = await talk(
      server.http,
      `POST ${RESOLVE} HTTP/1.1\r\nHost: ${host}\r\n${json.replace("\n", "\r\n")}\r\n\r\n{`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 504 .*connection: close.*"code":"deadline_exceeded"/is);
  });

  test("a stream that stalls is given up, and the client told", async () => {
    const head = `POST ${PUSH_STREAM} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/connect+json\r\n`;
    const answer = await talk(server.http, `${head}Transfer-Encoding: chunked\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*"code":"deadline_exceeded"/s);
  });

  test("a body that drips past the deadline is given up, however often it drips", async () => {
    const head = `POST ${RESOLVE} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nConnect-Timeout-Ms: 50`;
    const socket = dial(server.http);
    socket.write(`${head}\r\nContent-Length: 1000000\r\n\r\n`);
    const drip = setInterval(() => socket.write(" "), 10);
    const [answer]: Buffer[] = await once(socket, "data");
    clearInterval(drip);
    socket.destroy();
    expect(answer?.toString()).toMatch(/^HTTP\/1\.1 504 /);
  });

  test("a request line that comes in pieces is HTTP/1.1", async () => {
    const socket = dial(server.http);
    const answer = once(socket, "data");
    socket.write("P");
    // Several turns of the event loop that the server shares with this test: it has seen the P.
    await answers();
    socket.write(request(`OST ${RESOLVE} HTTP/1.1\nHost: ${host}\n${json}`, '{"ref":"xx"}'));
    const [bytes]: Buffer[] = await answer;
    expect(bytes?.toString()).toMatch(/^HTTP\/1\.1 200 /);
  });

  test("a connection that is reset before it said anything is no news", async () => {
    const socket = dial(server.http);
    await once(socket, "connect");
    await answers();
    socket.resetAndDestroy();
    expect(await answers()).toBe(true);
  });

  test("a connection that is reset is no news", async () => {
    const socket = dial(server.http);
    await once(socket, "connect");
    socket.write(
      `POST ${RESOLVE} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 9\r\nX-Request-Id: reset\r\n\r\n{`,
    );
    await new Promise((resolve) => setImmediate(resolve));
    socket.resetAndDestroy();
    expect(await answers()).toBe(true);
  });
});

describe("over HTTP/2", () => {
  test.each([
    { name: "a preface that is cut", parts: ["PRI * HTTP/2.0\r\n\r\n"] },
    { name: "a preface that turns wrong", parts: ["PRI * HTTP/9.9\r\n\r\nXX\r\n\r\n"] },
    { name: "a preface and silence", parts: [PREFACE] },
    { name: "a connection without streams", parts: [PREFACE, EMPTY_SETTINGS] },
    { name: "frames that are none", parts: [PREFACE, EMPTY_SETTINGS, Buffer.alloc(1000, 0xee)] },
    {
      name: "a frame longer than allowed",
      parts: [PREFACE, EMPTY_SETTINGS, Buffer.from([255, 255, 255, 0, 0, 0, 0, 0, 1])],
    },
    {
      name: "data on a stream that was never opened",
      parts: [PREFACE, EMPTY_SETTINGS, Buffer.from([0, 0, 1, 0, 0, 0, 0, 0, 1, 0])],
    },
    {
      name: "a header block that is no HPACK",
      parts: [PREFACE, EMPTY_SETTINGS, Buffer.from([0, 0, 4, 1, 5, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff])],
    },
    {
      name: "a header block that never ends",
      parts: [PREFACE, EMPTY_SETTINGS, Buffer.from([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82])],
    },
  ])("$name", async ({ parts }) => {
    await talk(server.http, ...parts);
    expect(await answers()).toBe(true);
  });

  test.each(["a:99999", "[::x]", "%zz"])("an :authority of %s", async (authority) => {
    const headers = await call2({ ":path": "/healthz", ":authority": authority });
    expect(headers[":status"]).toBe(400);
    expect(await answers()).toBe(true);
  });

  test("a body that stalls is given up, and the client told", async () => {
    const headers = await call2({
      ":method": "POST",
      ":path": RESOLVE,
      ":authority": host,
      "content-type": "application/json",
    });
    expect(headers[":status"]).toBe(504);
  });

  async function call2(headers: Record<string, string>): Promise<IncomingHttpHeaders> {
    const session = connect2(server.http, {
      createConnection: () => connect(Number(new URL(server.http).port), "127.0.0.1"),
    });
    try {
      const stream = session.request(headers, { endStream: headers[":method"] !== "POST" });
      const [received]: IncomingHttpHeaders[] = await once(stream, "response");
      return received ?? {};
    } finally {
      session.destroy();
    }
  }
});
