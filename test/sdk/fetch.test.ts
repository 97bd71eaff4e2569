import { getEventListeners } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import { setImmediate } from "node:timers/promises";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import { createDescry, type Descry, type DescryOptions } from "../../src/sdk/index.ts";
import { bytesOf, collect } from "../support/bytes.ts";
import { FETCH_MESSAGE_BYTES, sha256, wireError } from "../support/memory-registry.ts";
import { type Misbehaviour, type PlainServer, startPlainServer } from "../support/plain-server.ts";

const REPOSITORY = "descry.local/team/app";
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).toReversed()) await thing.close();
});

async function start(misbehave?: Misbehaviour, options: Partial<DescryOptions> = {}): Promise<[PlainServer, Descry]> {
  const server = await startPlainServer(misbehave);
  const descry = createDescry({ ...options, baseUrl: server.url });
  opened.push(server, descry);
  return [server, descry];
}

/** A header for `bytes`, as the first message of a stream. */
function headerOf(bytes: Uint8Array, digest = sha256(bytes), offset = 0n) {
  const desc = { mediaType: "text/plain", digest, size: BigInt(bytes.byteLength) };
  const freshness = { observedAt: timestampFromMs(1_700_000_000_000) };
  const value = { ref: `${REPOSITORY}:latest`, desc, pinnedRef: `${REPOSITORY}@${digest}`, freshness };
  return { part: { case: "header" as const, value }, offset };
}

function dataOf(value: Uint8Array, offset = 0) {
  return { part: { case: "data" as const, value }, offset: BigInt(offset) };
}

describe("resolve", () => {
  test("answers values of OCI, not messages", async () => {
    const [server, descry] = await start();
    const digest = server.registry.seed(REPOSITORY, bytesOf(10), "text/plain", "v1");
    expect(await descry.resolve(`${REPOSITORY}:v1`)).toEqual({
      ref: `${REPOSITORY}:v1`,
      desc: { mediaType: "text/plain", digest, size: 10 },
      pinnedRef: `${REPOSITORY}@${digest}`,
      freshness: { observedAt: new Date(1_700_000_000_000), stale: false, servedBy: "store", host: "" },
    });
  });

  test("fails with the server's reason, code and metadata", async () => {
    const [, descry] = await start();
    await expect(descry.resolve(`${REPOSITORY}:none`)).rejects.toMatchObject({
      name: "DescryError",
      reason: "TAG_UNKNOWN",
      code: "not_found",
      op: "Resolve",
      ref: `${REPOSITORY}:none`,
    });
  });

  test("sends the token, the registry's credentials and headers of one's own", async () => {
    const [server, descry] = await start(undefined, {
      token: "s3cret",
      registryAuth: { username: "ü", password: "p" },
      headers: { "x-mine": "1" },
    });
    server.registry.seed(REPOSITORY, bytesOf(1), "text/plain", "latest");
    await descry.resolve(REPOSITORY, { headers: { "x-mine": "2" } });
    const headers: IncomingHttpHeaders = server.requests[0]?.headers ?? {};
    expect(headers["authorization"]).toBe("Bearer s3cret");
    expect(headers["x-mine"]).toBe("2");
    // printf '{"username":"ü","password":"p"}' | base64
    expect(headers["x-registry-auth"]).toBe("eyJ1c2VybmFtZSI6IsO8IiwicGFzc3dvcmQiOiJwIn0=");
  });

  test("is sent again when a kept-alive connection turns out to be dead, but only once", async () => {
    let calls = 0;
    const [server, descry] = await start((registry, cut) => ({
      resolve: async (request, context) => {
        calls += 1;
        if (calls === 1) cut();
        return await registry.service.resolve(request, context);
      },
    }));
    server.registry.seed(REPOSITORY, bytesOf(1), "text/plain", "latest");
    expect((await descry.resolve(REPOSITORY)).desc.size).toBe(1);
    expect(calls).toBe(2);
  });

  test("is unavailable where nobody listens", async () => {
    const [server, descry] = await start();
    await server.close();
    await expect(descry.resolve(REPOSITORY)).rejects.toMatchObject({ code: "unavailable", reason: undefined });
  });

  test("is cancelled by the call's signal and by the client's", async () => {
    const client = new AbortController();
    let arrived: () => void = () => undefined;
    const [server, descry] = await start(
      (registry) => ({
        resolve: async (request, context) => {
          if (request.ref.endsWith(":slow")) {
            arrived();
            await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
          }
          return await registry.service.resolve(request, context);
        },
      }),
      { signal: client.signal },
    );
    server.registry.seed(REPOSITORY, bytesOf(1), "text/plain", "latest");
    for (const abort of [new AbortController(), client]) {
      const reached = new Promise<void>((resolve) => (arrived = resolve));
      const call = descry.resolve(`${REPOSITORY}:slow`, { signal: abort.signal });
      const failure = expect(call).rejects.toMatchObject({ code: "canceled", cause: "enough" });
      await reached;
      abort.abort("enough");
      await failure;
    }
    await expect(descry.resolve(REPOSITORY)).rejects.toMatchObject({ code: "canceled" });
  });

  test("leaves no listener on a signal", async () => {
    const [client, call] = [new AbortController(), new AbortController()];
    const [server, descry] = await start(undefined, { signal: client.signal });
    server.registry.seed(REPOSITORY, bytesOf(1), "text/plain", "latest");
    await descry.resolve(REPOSITORY, { signal: call.signal });
    for await (const chunk of (await descry.fetchStream(REPOSITORY, { signal: call.signal })).bytes)
      expect(getEventListeners(client.signal, "abort"), `${chunk.byteLength} bytes are still read`).toHaveLength(1);
    await expect(descry.resolve("descry.local/none", { signal: call.signal })).rejects.toThrow("unknown");
    for (const { signal } of [client, call]) expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("takes no longer than timeoutMs", async () => {
    const [, descry] = await start(() => ({
      resolve: async (_, context) => {
        await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
        return {};
      },
    }));
    await expect(descry.resolve(REPOSITORY, { timeoutMs: 20 })).rejects.toMatchObject({ code: "deadline_exceeded" });
  });
});

describe("fetch", () => {
  test("gives whole content, verified", async () => {
    const [server, descry] = await start();
    const bytes = bytesOf(1000);
    const digest = server.registry.seed(REPOSITORY, bytes);
    const fetched = await descry.fetch(REPOSITORY, { digest });
    expect(fetched.data).toEqual(bytes);
    expect(fetched.verified).toBe(true);
  });

  test("gives ranges", async () => {
    const [server, descry] = await start();
    const bytes = bytesOf(1000);
    const digest = server.registry.seed(REPOSITORY, bytes);
    const slice = await descry.fetch(`${REPOSITORY}@${digest}`, { offset: 10, length: 20 });
    expect(slice.data).toEqual(bytes.subarray(10, 30));
    expect(slice.desc.size).toBe(1000);
    const end = await descry.fetch(`${REPOSITORY}@${digest}`, { offset: 990 });
    expect(end.data).toEqual(bytes.subarray(990));
  });

  test.each([
    ["other bytes", { data: bytesOf(4, 9) }, "DIGEST_MISMATCH"],
    ["fewer bytes", { data: bytesOf(3) }, "SIZE_MISMATCH"],
    ["more bytes", { data: bytesOf(5) }, "SIZE_MISMATCH"],
  ])("refuses %s than the digest names", async (_, wrong, reason) => {
    const [server, descry] = await start((registry) => ({
      fetch: async (request, context) => ({ ...(await registry.service.fetch(request, context)), ...wrong }),
    }));
    const digest = server.registry.seed(REPOSITORY, bytesOf(4));
    await expect(descry.fetch(REPOSITORY, { digest })).rejects.toMatchObject({ reason, code: "data_loss" });
  });

  test("refuses good content that was not asked for, and a size other than the descriptor's", async () => {
    const [server, descry] = await start((registry) => ({
      fetch: async (request, context) =>
        await registry.service.fetch({ ...request, digest: sha256(bytesOf(4)) }, context),
    }));
    server.registry.seed(REPOSITORY, bytesOf(4));
    const other = sha256(bytesOf(4, 2));
    const mismatch = { reason: "DIGEST_MISMATCH", code: "data_loss" };
    await expect(descry.fetch(REPOSITORY, { digest: other })).rejects.toMatchObject(mismatch);
    await expect(descry.fetch(`${REPOSITORY}@${other}`)).rejects.toMatchObject(mismatch);
    const descriptor = { mediaType: "", digest: sha256(bytesOf(4)) as `${string}:${string}`, size: 5 };
    await expect(descry.fetch(REPOSITORY, { descriptor })).rejects.toMatchObject({ reason: "SIZE_MISMATCH" });
  });

  test("refuses a digest that is none before it asks", async () => {
    const [server, descry] = await start();
    await expect(descry.fetch(REPOSITORY, { digest: "sha256:1" })).rejects.toMatchObject({ reason: "FIELD_INVALID" });
    expect(server.requests).toEqual([]);
  });
});

describe("fetchStream", () => {
  const bytes = bytesOf(10 * FETCH_MESSAGE_BYTES + 5);

  test("gives all bytes and says how far it is", async () => {
    const [server, descry] = await start();
    const digest = server.registry.seed(REPOSITORY, bytes, "text/plain", "latest");
    const seen: number[] = [];
    const stream = await descry.fetchStream(REPOSITORY, { onProgress: ({ offset }) => seen.push(offset) });
    expect(stream.desc).toEqual({ mediaType: "text/plain", digest, size: bytes.byteLength });
    expect(await collect(stream.bytes)).toEqual(bytes);
    // Once a message; how the network cut them is its own business.
    expect(seen).toHaveLength(11);
    expect(seen.at(-1)).toBe(bytes.byteLength);
  });

  test("gives the empty content", async () => {
    const [server, descry] = await start();
    server.registry.seed(REPOSITORY, new Uint8Array(), "text/plain", "latest");
    expect(await collect((await descry.fetchStream(REPOSITORY)).bytes)).toEqual(new Uint8Array());
  });

  test("gives ranges", async () => {
    const [server, descry] = await start();
    const digest = server.registry.seed(REPOSITORY, bytes);
    const stream = await descry.fetchStream(REPOSITORY, { digest, offset: 100, length: 50_000 });
    expect(await collect(stream.bytes)).toEqual(bytes.subarray(100, 50_100));
  });

  test("asks for no compression", async () => {
    const [server, descry] = await start();
    server.registry.seed(REPOSITORY, bytes, "text/plain", "latest");
    await collect((await descry.fetchStream(REPOSITORY)).bytes);
    expect(server.requests[0]?.headers["connect-accept-encoding"]).toBeUndefined();
  });

  test.each([
    ["wrong bytes", [dataOf(bytesOf(100, 7))], "DIGEST_MISMATCH", 0],
    ["a wrong byte at the end", [dataOf(bytesOf(100).fill(0, 99)), dataOf(new Uint8Array())], "DIGEST_MISMATCH", 0],
    ["too few bytes", [dataOf(bytesOf(99))], "SIZE_MISMATCH", 99],
    ["too many bytes", [dataOf(bytesOf(100)), dataOf(bytesOf(1), 100)], "SIZE_MISMATCH", 0],
  ])("never completes %s", async (_, messages, reason, given) => {
    const good = bytesOf(100);
    const [, descry] = await start(() => ({
      async *fetchStream() {
        yield headerOf(good);
        yield* messages;
      },
    }));
    const stream = await descry.fetchStream(REPOSITORY);
    let received = 0;
    const reading = (async () => {
      for await (const chunk of stream.bytes) received += chunk.byteLength;
    })();
    await expect(reading).rejects.toMatchObject({ reason, code: "data_loss" });
    // The last chunk is held back until everything is verified.
    expect(received).toBe(given);
  });

  test("passes on the server's own verdict before the last byte of a range", async () => {
    const [server, descry] = await start((registry) => ({
      async *fetchStream(request, context) {
        yield* registry.service.fetchStream(request, context);
        throw wireError(Code.DataLoss, "DIGEST_MISMATCH", "the registry sent other bytes");
      },
    }));
    const digest = server.registry.seed(REPOSITORY, bytes);
    const stream = await descry.fetchStream(REPOSITORY, { digest, offset: bytes.byteLength - 3 });
    const chunks: Uint8Array[] = [];
    const reading = (async () => {
      for await (const chunk of stream.bytes) chunks.push(chunk);
    })();
    await expect(reading).rejects.toMatchObject({ reason: "DIGEST_MISMATCH", code: "data_loss" });
    expect(chunks).toEqual([]);
  });

  test("refuses good content that was not asked for", async () => {
    const [server, descry] = await start((registry) => ({
      async *fetchStream(request, context) {
        yield* registry.service.fetchStream({ ...request, digest: sha256(bytes) }, context);
      },
    }));
    server.registry.seed(REPOSITORY, bytes);
    const stream = descry.fetchStream(REPOSITORY, { digest: sha256(bytesOf(1)) });
    await expect(stream).rejects.toMatchObject({ reason: "DIGEST_MISMATCH", code: "data_loss" });
  });

  test.each([
    ["a stream without a header", [dataOf(bytesOf(1))]],
    ["a gap", [headerOf(bytes), dataOf(bytes.subarray(0, 10)), dataOf(bytes.subarray(11), 11)]],
    ["a second header", [headerOf(bytes), headerOf(bytes)]],
    ["another start than asked for", [headerOf(bytes, sha256(bytes), 5n)]],
  ])("refuses %s", async (_, messages) => {
    const [, descry] = await start(() => ({
      async *fetchStream() {
        yield* messages;
      },
    }));
    const reading = (async () => await collect((await descry.fetchStream(REPOSITORY)).bytes))();
    await expect(reading).rejects.toMatchObject({ code: "internal" });
  });

  /** A server whose streams never end, and a promise that their call was cancelled. */
  async function startEndless(): Promise<[Descry, Promise<unknown>]> {
    let cancelled: (value: unknown) => void = () => undefined;
    const done = new Promise((resolve) => (cancelled = resolve));
    const [, descry] = await start(() => ({
      async *fetchStream(_, context) {
        yield headerOf(bytes);
        yield dataOf(bytes.subarray(0, 10));
        await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
        cancelled("cancelled");
      },
    }));
    return [descry, done];
  }

  test("leaving the loop cancels the call on the server", async () => {
    const [descry, cancelled] = await startEndless();
    for await (const chunk of (await descry.fetchStream(REPOSITORY)).bytes) {
      expect(chunk).toEqual(bytes.subarray(0, 10));
      break;
    }
    expect(await cancelled).toBe("cancelled");
  });

  test("an error in the loop cancels the call on the server", async () => {
    const [descry, cancelled] = await startEndless();
    const reading = (async () => {
      for await (const chunk of (await descry.fetchStream(REPOSITORY)).bytes) throw new Error(`at ${chunk.byteLength}`);
    })();
    await expect(reading).rejects.toThrow("at 10");
    expect(await cancelled).toBe("cancelled");
  });

  test("a stream that is not read is cancelled by cancel()", async () => {
    const [descry, cancelled] = await startEndless();
    (await descry.fetchStream(REPOSITORY)).cancel();
    expect(await cancelled).toBe("cancelled");
  });

  test("the signal cancels a stream in the middle", async () => {
    const [descry, cancelled] = await startEndless();
    const abort = new AbortController();
    const stream = await descry.fetchStream(REPOSITORY, { signal: abort.signal });
    const reading = (async () => {
      for await (const chunk of stream.bytes) abort.abort(chunk.byteLength);
    })();
    await expect(reading).rejects.toMatchObject({ code: "canceled", cause: 10 });
    expect(await cancelled).toBe("cancelled");
  });

  test("a reader that pauses makes the server pause", async () => {
    const large = bytesOf(64 * 1024 * 1024);
    let sent = 0;
    const [, descry] = await start(() => ({
      async *fetchStream() {
        yield headerOf(large);
        for (; sent < large.byteLength; sent += 256 * 1024) yield dataOf(large.subarray(sent, sent + 256 * 1024), sent);
      },
    }));
    const stream = await descry.fetchStream(REPOSITORY);
    // Until nothing moves any more: sockets and buffers are full.
    for (let before = -1, still = 0; still < 100; before = sent) {
      still = sent === before ? still + 1 : 0;
      await setImmediate();
    }
    expect(sent).toBeLessThan(large.byteLength / 2);
    expect(sha256(await collect(stream.bytes))).toBe(sha256(large));
  });

  /** Cuts the connection whenever `messages` more have been read, as often as `times` says. */
  async function startCutting(times: number, messages: number): Promise<[PlainServer, Descry, bigint[]]> {
    const offsets: bigint[] = [];
    const [server, descry] = await start(
      (registry) => ({
        async *fetchStream(request, context) {
          offsets.push(request.offset);
          let left = offsets.length <= times ? messages : Infinity;
          for await (const message of registry.service.fetchStream(request, context)) {
            yield message;
            left -= message.part?.case === "data" ? 1 : 0;
            // The reader cuts; until then this stream stands still.
            if (left === 0) await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
          }
        },
      }),
      { resume: { attempts: 3, delayMs: 0 } },
    );
    return [server, descry, offsets];
  }

  test("goes on by digest where the connection broke", async () => {
    const [server, descry, offsets] = await startCutting(3, 2);
    const digest = server.registry.seed(REPOSITORY, bytes, "text/plain", "latest");
    let chunks = 0;
    const stream = await descry.fetchStream(REPOSITORY, {
      onProgress: () => {
        chunks += 1;
        if (chunks % 2 === 0 && chunks <= 6) server.cut();
        // The tag moves meanwhile: what was begun is what is read.
        server.registry.seed(REPOSITORY, bytesOf(3), "text/plain", "latest");
      },
    });
    expect(stream.desc.digest).toBe(digest);
    expect(await collect(stream.bytes)).toEqual(bytes);
    expect(offsets).toEqual([0n, 2n, 4n, 6n].map((n) => n * BigInt(FETCH_MESSAGE_BYTES)));
  });

  test("goes on within a range", async () => {
    const [server, descry, offsets] = await startCutting(1, 2);
    const digest = server.registry.seed(REPOSITORY, bytes);
    let chunks = 0;
    const onProgress = (): void => {
      chunks += 1;
      if (chunks === 2) server.cut();
    };
    const length = 5 * FETCH_MESSAGE_BYTES;
    const stream = await descry.fetchStream(REPOSITORY, { digest, offset: 7, length, onProgress });
    expect(await collect(stream.bytes)).toEqual(bytes.subarray(7, 7 + length));
    expect(offsets).toEqual([7n, BigInt(7 + 2 * FETCH_MESSAGE_BYTES)]);
  });

  test("gives up after some attempts without progress", async () => {
    let calls = 0;
    const [, descry] = await start(
      (_, cut) => ({
        async *fetchStream() {
          calls += 1;
          if (calls > 1) cut();
          else {
            yield headerOf(bytes);
            yield dataOf(bytes.subarray(0, 10));
          }
          await setImmediate();
          cut();
        },
      }),
      { resume: { attempts: 3, delayMs: 0 } },
    );
    const reading = (async () => await collect((await descry.fetchStream(REPOSITORY)).bytes))();
    await expect(reading).rejects.toMatchObject({ code: "unavailable" });
    expect(calls).toBe(4);
  });

  test("does not go on when told not to, nor for an error that is an answer", async () => {
    const [server, descry] = await startCutting(1, 1);
    const digest = server.registry.seed(REPOSITORY, bytes);
    const options = { digest, resume: false, onProgress: () => server.cut() } as const;
    const reading = (async () => await collect((await descry.fetchStream(REPOSITORY, options)).bytes))();
    await expect(reading).rejects.toMatchObject({ code: "unavailable" });

    let calls = 0;
    const [, other] = await start(() => ({
      async *fetchStream() {
        calls += 1;
        yield headerOf(bytes);
        throw wireError(Code.DataLoss, "STORE_CORRUPT", "gone bad");
      },
    }));
    const failing = (async () => await collect((await other.fetchStream(REPOSITORY)).bytes))();
    await expect(failing).rejects.toMatchObject({ reason: "STORE_CORRUPT" });
    expect(calls).toBe(1);
  });

  test("takes content that is complete though the stream's end got lost", async () => {
    let calls = 0;
    const [, descry] = await start((_, cut) => ({
      async *fetchStream() {
        calls += 1;
        yield headerOf(bytes);
        yield dataOf(bytes);
        await new Promise((resolve) => (allRead = resolve));
        cut();
      },
    }));
    let allRead: (value?: unknown) => void = () => undefined;
    const stream = await descry.fetchStream(REPOSITORY, { onProgress: () => allRead() });
    expect(await collect(stream.bytes)).toEqual(bytes);
    expect(calls).toBe(1);
  });
});
