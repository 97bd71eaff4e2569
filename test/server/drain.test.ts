import { once } from "node:events";
import { Agent } from "node:http";
import { connect as connect2 } from "node:http2";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../src/gen/grpc/health/v1/health_pb.ts";
import { wires } from "../support/clients.ts";
import { ask } from "../support/raw.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "../support/server.ts";

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

test("what ignores everything is cut", async () => {
  const call = gate();
  const running = await start({
    limits: { drainMs: 0, abortGraceMs: 0 },
    service: {
      pushStream: async () => {
        call.reach();
        return new Promise(() => undefined);
      },
    },
  });
  const session = connect2(running.http);
  session.on("error", () => undefined);
  const stream = session.request({
    ":method": "POST",
    ":path": "/descry.v1.ContentService/PushStream",
    "content-type": "application/grpc",
  });
  stream.on("error", () => undefined);
  stream.write(Buffer.from([0, 0, 0, 0, 0]));
  await call.reached;
  await running.drain();
  session.destroy();
});

test("draining twice is draining once", async () => {
  const running = await start({});
  await Promise.all([running.drain(), running.drain()]);
  await running.drain();
});
