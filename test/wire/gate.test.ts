import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect as connect2 } from "node:http2";
import { setImmediate as turn } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCaller } from "../../src/content/caller.ts";
import type { PushStreamRequestSchema } from "../../src/gen/descry/v1/content_service_pb.ts";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../src/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../src/gen/grpc/reflection/v1/reflection_pb.ts";
import { DescryError } from "../../src/oci/errors.ts";
import { callerKey } from "../../src/server/context.ts";
import { type Wire, type WireClient, wires } from "../support/clients.ts";
import { dial } from "../support/raw.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const MiB = 1024 * 1024;

const callers = new Map([
  ["reader", createCaller("reader", [{ verbs: ["pull"], repositories: ["*"] }])],
  ["writer", createCaller("writer", [{ verbs: ["pull", "push"], repositories: ["descry.local/*"] }])],
  ["cleaner", createCaller("cleaner", [{ verbs: ["delete"], repositories: ["*"] }])],
]);

let server: TestServer;
const seen: string[] = [];

beforeAll(async () => {
  server = await startTestServer({
    callers: true,
    authenticate: (header) => {
      const name = header.get("Authorization")?.replace("Bearer ", "") ?? "";
      const caller = callers.get(name);
      if (caller === undefined) throw new DescryError("CALLER_UNAUTHENTICATED", "who are you?");
      return caller;
    },
    service: {
      resolve: ({ ref }, { values }) => ({ ref, pinnedRef: values.get(callerKey).name }),
      push: () => ({}),
      preparePush: () => ({}),
      setTag: () => ({}),
      delete: () => ({}),
      listTags: () => ({}),
      listReferrers: () => ({}),
      fetch: () => ({}),
      async *fetchStream() {},
      async *copy() {},
      pushStream: async (messages) => {
        for await (const { part } of messages) seen.push(part.case ?? "");
        return {};
      },
    },
  });
});
afterAll(() => server.stop());

const as = (name: string) => ({ headers: { Authorization: `Bearer ${name}` } });

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  const reason = await call.then(
    () => new Error("succeeded"),
    (error: unknown) => error,
  );
  if (reason instanceof ConnectError) return reason;
  throw reason;
}

async function drained(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}

describe.each(wires)("$name", (wire: Wire) => {
  let client: WireClient;
  beforeAll(() => {
    client = wire.open(server);
  });
  afterAll(() => client.close());

  test("the caller reaches the service", async () => {
    expect((await client.content.resolve({ ref: "x" }, as("reader"))).pinnedRef).toBe("reader");
  });

  test("a stranger gets a challenge and the reason", async () => {
    const error = await failure(client.content.resolve({ ref: "x" }));
    expect(error.code).toBe(Code.Unauthenticated);
    expect(error.metadata.get("WWW-Authenticate")).toBe('Bearer realm="descry"');
    expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({
      domain: "descry",
      reason: "CALLER_UNAUTHENTICATED",
      metadata: { op: "Resolve" },
    });
  });

  test("a refused upload of 100 MiB stops at once", async () => {
    let sent = 0;
    const chunk = new Uint8Array(256 * 1024);
    const source = (async function* (): AsyncGenerator<MessageInitShape<typeof PushStreamRequestSchema>> {
      while (sent < 100 * MiB) {
        sent += chunk.byteLength;
        yield { part: { case: "data", value: chunk } };
        await turn();
      }
    })();
    const error = await failure(client.content.pushStream(source, as("reader")));
    expect(error.code).toBe(Code.PermissionDenied);
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("CALLER_DENIED");
    expect(sent).toBeLessThan(4 * MiB);
    expect(seen).toEqual([]);
  });
});

/** The right each method needs, as proto/descry/v1/content_service.proto describes what it does. */
describe("the right that a method needs", () => {
  let client: WireClient;
  beforeAll(() => {
    const [first] = wires;
    if (first === undefined) throw new Error("no wires");
    client = first.open(server);
  });
  afterAll(() => client.close());

  const methods: readonly [string, "pull" | "push" | "delete", (as: object) => Promise<unknown>][] = [
    ["Resolve", "pull", (options) => client.content.resolve({}, options)],
    ["Fetch", "pull", (options) => client.content.fetch({}, options)],
    ["FetchStream", "pull", (options) => drained(client.content.fetchStream({}, options))],
    ["ListTags", "pull", (options) => client.content.listTags({}, options)],
    ["ListReferrers", "pull", (options) => client.content.listReferrers({}, options)],
    ["PreparePush", "push", (options) => client.content.preparePush({}, options)],
    ["Push", "push", (options) => client.content.push({}, options)],
    ["PushStream", "push", (options) => client.content.pushStream((async function* () {})(), options)],
    ["Copy", "push", (options) => drained(client.content.copy({}, options))],
    ["SetTag", "push", (options) => client.content.setTag({}, options)],
    ["Delete", "delete", (options) => client.content.delete({}, options)],
  ];
  const rights = { pull: ["reader", "writer"], push: ["writer"], delete: ["cleaner"] };

  test.each(methods)("%s: %s", async (_, verb, call) => {
    for (const name of callers.keys()) {
      if (rights[verb].includes(name)) await call(as(name));
      else expect((await failure(call(as(name)))).code, name).toBe(Code.PermissionDenied);
    }
  });

  test("every method of the service is in the table", () => {
    const served = server.registry.service;
    expect(methods.map(([name]) => `${name.charAt(0).toLowerCase()}${name.slice(1)}`).toSorted()).toEqual(
      Object.keys(served).toSorted(),
    );
  });
});

test("health asks nobody for a name", async () => {
  const health = createClient(Health, createGrpcTransport({ baseUrl: server.http }));
  expect((await health.check({})).status).toBe(Status.SERVING);
  expect((await health.check({ service: "descry.v1.ContentService" })).status).toBe(Status.SERVING);
});

test("reflection is for callers, whatever they may do", async () => {
  const reflection = createClient(ServerReflection, createGrpcTransport({ baseUrl: server.http }));
  const ask = async function* () {
    yield { messageRequest: { case: "listServices" as const, value: "" } };
  };
  expect((await failure(drained(reflection.serverReflectionInfo(ask())))).code).toBe(Code.Unauthenticated);
  await drained(reflection.serverReflectionInfo(ask(), as("cleaner")));
});

test("a client that waits for 100 Continue is refused without being asked for its body", async () => {
  const upload = httpRequest(`${server.http}/descry.v1.ContentService/PushStream`, {
    method: "POST",
    headers: { "Content-Type": "application/connect+proto", Expect: "100-continue", Connection: "close" },
  });
  let continued = false;
  upload.on("continue", () => (continued = true));
  upload.flushHeaders();
  const status = await new Promise((resolve, reject) => {
    upload.on("error", reject);
    upload.on("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
  });
  upload.destroy();
  // Connect streams carry their errors in the body.
  expect({ status, continued }).toEqual({ status: 200, continued: false });
});

test("a client that waits for 100 Continue is asked for its body when it may call", async () => {
  const call = httpRequest(`${server.http}/descry.v1.ContentService/Resolve`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Expect: "100-continue",
      Connection: "close",
      Authorization: "Bearer reader",
      "Content-Length": 11,
    },
  });
  call.on("continue", () => call.end('{"ref":"x"}'));
  call.flushHeaders();
  const status = await new Promise((resolve, reject) => {
    call.on("error", reject);
    call.on("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
  });
  expect(status).toBe(200);
});

test("a client that uploads without listening is cut off", async () => {
  const socket = dial(server.http);
  socket.write(
    `POST /descry.v1.ContentService/PushStream HTTP/1.1\r\nHost: localhost\r\n` +
      `Content-Type: application/connect+proto\r\nContent-Length: ${100 * MiB}\r\n\r\n`,
  );
  const chunk = new Uint8Array(MiB);
  const upload = (): void => {
    while (!socket.destroyed && socket.bytesWritten < 100 * MiB) if (!socket.write(chunk)) return;
  };
  socket.on("drain", upload);
  upload();
  // Not once(): the reset that ends it is an error, and no failure here.
  await new Promise((resolve) => socket.on("close", resolve));
  expect(socket.bytesWritten).toBeLessThan(100 * MiB);
});

/** gRPC status 16 is unauthenticated, 8 resource_exhausted. */
test.each([
  { name: "before its body was read", headers: {}, status: "16" },
  { name: "after some of its body was read", headers: { authorization: "Bearer writer" }, status: "8" },
])("over HTTP/2 a stream that is answered $name is let go without error", async ({ headers, status }) => {
  const session = connect2(server.http);
  const stream = session.request({
    ":method": "POST",
    ":path": "/descry.v1.ContentService/PushStream",
    "content-type": "application/grpc",
    ...headers,
  });
  // A message of 4 GiB: whoever reads it refuses it.
  stream.write(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]));
  const trailers = once(stream, "trailers");
  stream.resume();
  const closed = once(stream, "close");
  const [received]: Record<string, string>[] = await trailers;
  await closed;
  session.destroy();
  // RFC 9113 §8.1: RST_STREAM with NO_ERROR after a complete response.
  expect({ status: received?.["grpc-status"], reset: stream.rstCode }).toEqual({ status, reset: 0 });
});
