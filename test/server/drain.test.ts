import { once } from "node:events";
import { Agent } from "node:http";
import { type ClientHttp2Stream, connect as connect2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../src/gen/grpc/health/v1/health_pb.ts";
import { wires } from "../support/clients.ts";
import { ask, dial } from "../support/raw.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "../support/server.ts";
import { testTls } from "../support/tls.ts";

let server: TestServer | undefined;
afterEach(() => server?.stop());

/** Longer than any test: what needs it to pass would time out. */
const FOREVER_MS = 600_000;

interface Gate {
  readonly reached: Promise<void>;
  readonly open: () => void;
  readonly opened: Promise<void>;
}

function gate(): Gate & { readonly reach: () => void } {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  return { reached: reached.promise, reach: reached.resolve, opened: opened.promise, open: opened.resolve };
}

async function start(options: TestServerOptions): Promise<TestServer> {
  server = await startTestServer(options);
  return server;
}

describe.each(wires)("$name", (wire) => {
  test("a running call ends well, and the drain with it", async () => {
    const call = gate();
    const running = await start({
      limits: { drainMs: FOREVER_MS },
      service: {
        resolve: async ({ ref }) => {
          call.reach();
          await call.opened;
          return { ref };
        },
      },
    });
    const client = wire.open(running);
    const answer = client.content.resolve({ ref: "slow" });
    await call.reached;
    const drained = running.drain();
    call.open();
    expect(await answer).toMatchObject({ ref: "slow" });
    await drained;
    client.close();
  });

  test("a stream that is under way ends well, and the drain with it", async () => {
    const call = gate();
    const running = await start({
      limits: { drainMs: FOREVER_MS },
      service: {
        async *fetchStream() {
          yield { offset: 1n };
          await call.opened;
          yield { offset: 2n };
        },
      },
    });
    const client = wire.open(running);
    const offsets: bigint[] = [];
    let drained: Promise<void> | undefined;
    for await (const { offset } of client.content.fetchStream({})) {
      offsets.push(offset);
      drained ??= running.drain();
      call.open();
    }
    expect(offsets).toEqual([1n, 2n]);
    await drained;
    client.close();
  });

  test("a stream that outlives the drain ends with UNAVAILABLE", async () => {
    const call = gate();
    const running = await start({
      limits: { drainMs: 0, abortGraceMs: FOREVER_MS },
      service: {
        async *fetchStream() {
          yield { offset: 1n };
          call.reach();
          // Looks at no signal.
          await new Promise(() => undefined);
        },
      },
    });
    const client = wire.open(running);
    const reading = (async () => {
      for await (const _ of client.content.fetchStream({}));
    })();
    const failed = reading.catch((reason: unknown) => reason);
    await call.reached;
    const drained = running.drain();
    const error = await failed;
    if (!(error instanceof ConnectError)) throw error;
    expect(error.code).toBe(Code.Unavailable);
    expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({ domain: "descry", reason: "DRAINING" });
    client.close();
    await drained;
  });
});

test("new connections are refused, and kept ones end with their next answer", async () => {
  const call = gate();
  const running = await start({
    limits: { drainMs: FOREVER_MS },
    service: {
      resolve: async () => {
        call.reach();
        await call.opened;
        return {};
      },
    },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  expect((await ask(`${running.http}/readyz`, { agent })).headers.connection).toBe("keep-alive");
  const last = ask(
    `${running.http}/descry.v1.ContentService/Resolve`,
    { agent, method: "POST", headers: { "Content-Type": "application/json" } },
    "{}",
  );
  await call.reached;
  const drained = running.drain();
  await expect(ask(`${running.http}/readyz`)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  call.open();
  expect(await last).toMatchObject({ status: 200, headers: { connection: "close" } });
  await drained;
  agent.destroy();
});

test("an HTTP/2 connection is told to go away, and idle ones do not hold up the drain", async () => {
  const running = await start({ limits: { drainMs: FOREVER_MS } });
  const session = connect2(running.http);
  await once(session, "remoteSettings");
  const goaway = once(session, "goaway");
  const keptAlive = new Agent({ keepAlive: true });
  await ask(`${running.http}/readyz`, { agent: keptAlive });
  await running.drain();
  const [code] = await goaway;
  expect(code).toBe(0);
  session.destroy();
  keptAlive.destroy();
});

test("who watches health hears of the end, and does not hold it up", async () => {
  const running = await start({ limits: { drainMs: FOREVER_MS } });
  const health = createClient(Health, createGrpcTransport({ baseUrl: running.http }));
  const heard: Status[] = [];
  let drained: Promise<void> | undefined;
  for await (const { status } of health.watch({})) {
    heard.push(status);
    drained ??= running.drain();
  }
  expect(heard).toEqual([Status.SERVING, Status.NOT_SERVING]);
  await drained;
});

describe("a client that does not read", () => {
  const call = gate();
  const service: TestServerOptions["service"] = {
    async *fetchStream() {
      call.reach();
      // More than the buffers of both kernels hold.
      for (;;) yield { part: { case: "data" as const, value: new Uint8Array(7 * 1024 * 1024) } };
    },
  };
  const path = "/descry.v1.ContentService/FetchStream";
  const message = Buffer.from([0, 0, 0, 0, 0]);

  test("is cut over HTTP/1.1", async () => {
    const running = await start({ limits: { drainMs: 0, abortGraceMs: 0 }, service });
    const socket = dial(running.http).pause();
    const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/connect+proto\r\n`;
    socket.write(`${head}Content-Length: 5\r\n\r\n`);
    socket.write(message);
    await call.reached;
    await running.drain();
    socket.destroy();
  });

  test("is cut over HTTP/2", async () => {
    const running = await start({ limits: { drainMs: 0, abortGraceMs: 0 }, service });
    const session = connect2(running.http);
    session.on("error", () => undefined);
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc" };
    const stream = session.request(headers).pause();
    stream.on("error", () => undefined);
    stream.end(message);
    await once(stream, "response");
    await running.drain();
    session.destroy();
  });

  test("is cut after a while, drain or not", async () => {
    const running = await start({ limits: { writeIdleMs: 50 }, service });
    const socket = dial(running.http).pause();
    const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/connect+proto\r\n`;
    socket.write(`${head}X-Request-Id: stalled\r\nContent-Length: 5\r\n\r\n`);
    socket.write(message);
    const line = await running.line((each) => each.event === "call" && each.request_id === "stalled");
    expect(line).toMatchObject({ code: "canceled", messages_out: 0 });
    socket.destroy();
  });
});

test("a connection that has said nothing does not hold up the drain", async () => {
  const running = await start({ limits: { drainMs: FOREVER_MS, headersTimeoutMs: FOREVER_MS } });
  const socket = dial(running.http);
  await once(socket, "connect");
  await ask(`${running.http}/readyz`);
  await running.drain();
  socket.destroy();
});

test("a connection whose handshake ends after the drain began is told to go away", async () => {
  const running = await start({ limits: { drainMs: FOREVER_MS } });
  const { port } = new URL(running.https);
  const socket = connect(Number(port), "127.0.0.1");
  await once(socket, "connect");
  // A turn of the event loop that the server shares with this test: it has accepted the socket.
  await ask(`${running.http}/readyz`);
  const drained = running.drain();
  const session = connect2(running.https, {
    createConnection: () => connectTls({ socket, ca: testTls.cert, ALPNProtocols: ["h2"] }),
  });
  session.on("error", () => undefined);
  await drained;
  session.destroy();
});

describe("an upload over HTTP/2 that was answered before it was read", () => {
  const headers = {
    ":method": "POST",
    ":path": "/descry.v1.ContentService/PushStream",
    "content-type": "application/grpc",
  };
  /** An empty message, and the beginning of one of 1 MiB: more than the server buffers of a body it does not read. */
  const begun = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0, 16, 0, 0]), Buffer.alloc(1024 * 1024 - 1)]);
  const ends: readonly { name: string; end: (stream: ClientHttp2Stream, socket: Socket) => void }[] = [
    { name: "resets it without error, as grpcio does", end: (stream) => stream.close(constants.NGHTTP2_NO_ERROR) },
    { name: "ends it", end: (stream) => stream.end(Buffer.alloc(1)) },
    { name: "sends nothing any more", end: () => undefined },
    { name: "ends its connection", end: (_, socket) => socket.destroy() },
  ];

  test.each(ends)("holds up no drain when the client $name", async ({ end }) => {
    const call = gate();
    const running = await start({
      limits: { drainMs: FOREVER_MS, bodyIdleMs: FOREVER_MS },
      service: {
        pushStream: async (messages) => {
          await messages[Symbol.asyncIterator]().next();
          call.reach();
          await call.opened;
          return {};
        },
      },
    });
    const { hostname, port } = new URL(running.http);
    const socket = connect(Number(port), hostname);
    const session = connect2(running.http, { createConnection: () => socket });
    session.on("error", () => undefined);
    const stream = session.request({ ...headers, "x-request-id": "early" });
    stream.on("error", () => undefined);
    await Promise.all([call.reached, new Promise((resolve) => stream.write(begun, resolve))]);
    // Frames are taken in their order: when the ping is answered, the server has all of the body.
    await new Promise((resolve) => session.ping(resolve));
    const answered = once(stream.resume(), "response");
    call.open();
    await answered;
    end(stream, socket);
    await running.line((line) => line.event === "call" && line.request_id === "early");
    await running.drain();
    session.destroy();
  });
});

test("draining twice is draining once", async () => {
  const running = await start({});
  await Promise.all([running.drain(), running.drain()]);
  await running.drain();
});
