import { EventEmitter, once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PushStreamRequestSchema } from "../../src/gen/descry/v1/content_service_pb.ts";
import { PlatformChoiceSchema } from "../../src/gen/descry/v1/errors_pb.ts";
import { Outcome } from "../../src/gen/descry/v1/types_pb.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { DescryError } from "../../src/oci/errors.ts";
import { bytesOf, collect } from "../support/bytes.ts";
import { type WireClient, wires } from "../support/clients.ts";
import { sha256 } from "../support/memory-registry.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

type PushMessage = MessageInitShape<typeof PushStreamRequestSchema>;

/** More than one HTTP/2 window of Node's clients (64 KiB), many messages, and no round number. */
const content = bytesOf(1_000_003);
const digest = sha256(content);

/** What handlers tell about themselves: event "aborted" or "closed", with the request's ref. */
const news = new EventEmitter();

function stuck(name: string, { signal }: HandlerContext): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => {
      news.emit(`aborted ${name}`);
      reject(signal.reason);
    });
  });
}

/** Messages with one put before the rest of an iterator. */
async function* after<T>(first: T, rest: AsyncIterator<T>): AsyncGenerator<T> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

async function* endless(ref: string, context: HandlerContext) {
  context.signal.addEventListener("abort", () => news.emit(`aborted ${ref}`));
  for (let offset = 0n; ; offset += BigInt(content.byteLength)) {
    context.signal.throwIfAborted();
    yield { part: { case: "data" as const, value: content.subarray(0, 65536) }, offset };
    await turn();
  }
}

async function* pushed(ref: string): AsyncGenerator<PushMessage> {
  const desc = { mediaType: "application/octet-stream", digest, size: BigInt(content.byteLength) };
  yield { part: { case: "header", value: { ref, desc } } };
  for (let at = 0; at < content.byteLength; at += 65536)
    yield { part: { case: "data", value: content.subarray(at, at + 65536) } };
}

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({
    service: {
      resolve: ({ ref }, context) => {
        if (ref.startsWith("stuck")) return stuck(ref, context);
        if (ref === "fault") throw new Error("the password is hunter2");
        if (ref === "invalid")
          throw new DescryError("PLATFORM_AMBIGUOUS", "which of them?", {
            ref: "descry.local/x",
            side: "store",
            metadata: { hint: "choose" },
            violations: [{ field: "ref", description: "is odd" }],
            retryAfter: 1500,
            platforms: [{ os: "linux", architecture: "arm", variant: "v7" }],
          });
        return { ref, pinnedRef: context.protocolName };
      },
      async *fetchStream(request, context) {
        if (request.ref === "endless") return yield* endless(request.mediaType, context);
        if (request.ref === "lossy") {
          yield { part: { case: "data" as const, value: content.subarray(0, 10) }, offset: 0n };
          throw new DescryError("DIGEST_MISMATCH", "rotten", { code: "data_loss", digest: "sha256:00" });
        }
        yield* server.registry.service.fetchStream(request, context);
      },
      pushStream: async (messages, context) => {
        const rest = messages[Symbol.asyncIterator]();
        const first = await rest.next();
        if (first.done === true || first.value.part.case !== "header") throw new Error("no header");
        const { ref } = first.value.part.value;
        if (ref === "early") return { receipt: { ref, outcome: Outcome.EXISTED } };
        if (ref === "refused") throw new DescryError("CALLER_DENIED", "not here");
        if (!ref.startsWith("endless")) return server.registry.service.pushStream(after(first.value, rest), context);
        news.emit(`started ${ref}`);
        try {
          for await (const _ of after(first.value, rest));
          return {};
        } finally {
          news.emit(`closed ${ref}`);
        }
      },
    },
  });
});

afterAll(() => server.stop());

describe.each(wires)("$name", (wire) => {
  let client: WireClient;
  beforeAll(() => {
    client = wire.open(server);
  });
  afterAll(() => client.close());

  test("a unary call is answered, and logged as what it was", async () => {
    const id = `unary-${wires.indexOf(wire)}`;
    let echoed: string | null = null;
    const answer = await client.content.resolve(
      { ref: "descry.local/ü" },
      { headers: { "X-Request-Id": id }, onHeader: (header) => (echoed = header.get("X-Request-Id")) },
    );
    expect(answer).toMatchObject({ ref: "descry.local/ü", pinnedRef: wire.protocol });
    expect(echoed).toBe(id);
    expect(await server.line((line) => line.event === "call" && line.request_id === id)).toMatchObject({
      rpc: "descry.v1.ContentService/Resolve",
      protocol: wire.protocol,
      http: wire.http,
      code: "ok",
      messages_in: 1,
      messages_out: 1,
      peer: wire.name.endsWith("unix") ? "unix" : expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    });
  });

  test("a server stream arrives whole and in order", async () => {
    server.registry.seed("descry.local/x", content);
    const parts = client.content.fetchStream({ ref: `descry.local/x@${digest}` });
    const bytes = (async function* () {
      for await (const { part } of parts) if (part.case === "data") yield part.value;
    })();
    expect(sha256(await collect(bytes))).toBe(digest);
  });

  test("an error brings its code and its details, in the contract's order", async () => {
    const error = await client.content.resolve({ ref: "invalid" }).catch((reason: unknown) => reason);
    if (!(error instanceof ConnectError)) throw error;
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toBe("which of them?");
    expect(error.details.map((detail) => ("type" in detail ? detail.type : ""))).toEqual([
      "google.rpc.ErrorInfo",
      "google.rpc.BadRequest",
      "google.rpc.RetryInfo",
      "descry.v1.PlatformChoice",
    ]);
    expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({
      domain: "descry",
      reason: "PLATFORM_AMBIGUOUS",
      metadata: { op: "Resolve", ref: "descry.local/x", side: "store", hint: "choose" },
    });
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([
      { field: "ref", description: "is odd" },
    ]);
    expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
    expect(error.findDetails(PlatformChoiceSchema)[0]?.available).toMatchObject([
      { os: "linux", architecture: "arm", variant: "v7" },
    ]);
  });

  test("nothing of a fault leaves the server but the request ID", async () => {
    const headers = { "X-Request-Id": `fault-${wires.indexOf(wire)}` };
    const error = await client.content.resolve({ ref: "fault" }, { headers }).catch((reason: unknown) => reason);
    if (!(error instanceof ConnectError)) throw error;
    expect(error.code).toBe(Code.Internal);
    expect(error.rawMessage).toBe("internal error");
    expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({
      reason: "INTERNAL",
      metadata: { request_id: headers["X-Request-Id"] },
    });
  });

  test("an error in the middle of a stream comes after what was sent before it", async () => {
    let received = 0;
    const reading = (async () => {
      for await (const { part } of client.content.fetchStream({ ref: "lossy" }))
        if (part.case === "data") received += part.value.byteLength;
    })();
    const error = await reading.catch((reason: unknown) => reason);
    if (!(error instanceof ConnectError)) throw error;
    expect(received).toBe(10);
    expect(error.code).toBe(Code.DataLoss);
    expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({
      reason: "DIGEST_MISMATCH",
      metadata: { op: "FetchStream", digest: "sha256:00" },
    });
  });

  test("a client stream is answered before its end", async () => {
    let answered = false;
    const source = (async function* (): AsyncGenerator<PushMessage> {
      yield { part: { case: "header", value: { ref: "early" } } };
      while (!answered) {
        yield { part: { case: "data", value: content.subarray(0, 65536) } };
        await turn();
      }
    })();
    const { receipt } = await client.content.pushStream(source);
    answered = true;
    expect(receipt).toMatchObject({ ref: "early", outcome: Outcome.EXISTED });
    expect(await client.content.resolve({ ref: "next" })).toMatchObject({ ref: "next" });
  });

  test("an error answers a client stream before its end", async () => {
    let answered = false;
    const source = (async function* (): AsyncGenerator<PushMessage> {
      yield { part: { case: "header", value: { ref: "refused" } } };
      while (!answered) {
        yield { part: { case: "data", value: content.subarray(0, 65536) } };
        await turn();
      }
    })();
    const error = await client.content.pushStream(source).catch((reason: unknown) => reason);
    answered = true;
    if (!(error instanceof ConnectError)) throw error;
    expect(error.code).toBe(Code.PermissionDenied);
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("CALLER_DENIED");
  });

  test("a client stream is read to its end", async () => {
    const ref = `descry.local/pushed-${wires.indexOf(wire)}`;
    await client.content.pushStream(pushed(ref));
    expect(sha256(server.registry.content.get(`${ref}@${digest}`)?.bytes ?? new Uint8Array())).toBe(digest);
  });

  test("the client's deadline ends the handler", async () => {
    const ref = `stuck ${wires.indexOf(wire)}`;
    const aborted = once(news, `aborted ${ref}`);
    await expect(client.content.resolve({ ref }, { timeoutMs: 50 })).rejects.toMatchObject({
      code: Code.DeadlineExceeded,
    });
    await aborted;
  });

  test("a client that cancels a server stream ends its handler", async () => {
    const name = `server stream ${wires.indexOf(wire)}`;
    const aborted = once(news, `aborted ${name}`);
    const stop = new AbortController();
    const reading = (async () => {
      for await (const _ of client.content.fetchStream({ ref: "endless", mediaType: name }, { signal: stop.signal }))
        stop.abort();
    })();
    await expect(reading).rejects.toMatchObject({ code: Code.Canceled });
    await aborted;
  });

  test("a client that cancels a client stream ends its handler", async () => {
    const ref = `endless client stream ${wires.indexOf(wire)}`;
    const closed = once(news, `closed ${ref}`);
    const stop = new AbortController();
    news.once(`started ${ref}`, () => stop.abort());
    const source = (async function* (): AsyncGenerator<PushMessage> {
      yield { part: { case: "header", value: { ref } } };
      for (;;) {
        yield { part: { case: "data", value: content.subarray(0, 1024) } };
        await turn();
      }
    })();
    await expect(client.content.pushStream(source, { signal: stop.signal })).rejects.toMatchObject({
      code: Code.Canceled,
    });
    await closed;
  });
});

describe("a call without a deadline", () => {
  let impatient: TestServer;
  beforeAll(async () => {
    impatient = await startTestServer({
      limits: { unaryTimeoutMs: 50 },
      service: { resolve: () => new Promise(() => undefined) },
    });
  });
  afterAll(() => impatient.stop());

  test.each(wires)("gets the server's, though its handler looks at no signal: $name", async (wire) => {
    const client = wire.open(impatient);
    await expect(client.content.resolve({ ref: "x" })).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    client.close();
  });
});
