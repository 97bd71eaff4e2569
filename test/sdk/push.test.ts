import { Code } from "@connectrpc/connect";
import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { createDescry, type Descry, type PushSource, type TransferProgress } from "../../src/sdk/index.ts";
import { inMessages } from "../../src/sdk/source.ts";
import { bytesOf } from "../support/bytes.ts";
import { sha256, wireError } from "../support/memory-registry.ts";
import { type Misbehaviour, type PlainServer, startPlainServer } from "../support/plain-server.ts";

const REPOSITORY = "descry.local/team/app";
const MiB = 1024 * 1024;
const large = bytesOf(6 * MiB + 3);
const largeKey = `${REPOSITORY}@${sha256(large)}`;
const descriptorOf = (bytes: Uint8Array, mediaType = "") => ({
  mediaType,
  digest: sha256(bytes) as `${string}:${string}`,
  size: bytes.byteLength,
});

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).toReversed()) await thing.close();
});

async function start(misbehave?: Misbehaviour): Promise<[PlainServer, Descry]> {
  const server = await startPlainServer(misbehave);
  const descry = createDescry({ baseUrl: server.url, resume: { attempts: 3, delayMs: 0 } });
  opened.push(server, descry);
  return [server, descry];
}

/** An iterable that tells whether it was ended. */
function chunksOf(bytes: Uint8Array, chunk: number, ended: () => void = () => undefined): AsyncIterable<Uint8Array> {
  return (async function* () {
    try {
      for (let at = 0; at < bytes.byteLength; at += chunk) yield bytes.subarray(at, at + chunk);
    } finally {
      ended();
    }
  })();
}

const sources: [string, (bytes: Uint8Array<ArrayBuffer>) => PushSource][] = [
  ["bytes", (bytes) => bytes],
  ["a Blob", (bytes) => new Blob([bytes])],
  ["a ReadableStream", (bytes) => new Blob([bytes]).stream()],
  ["an async iterable", (bytes) => chunksOf(bytes, 1000)],
  ["what can be opened", (bytes) => ({ open: (offset) => chunksOf(bytes.subarray(offset), 100_000) })],
];

describe("push", () => {
  describe.each(sources)("from %s", (_, sourceOf) => {
    test.each([
      ["nothing", new Uint8Array()],
      ["small content, in one message", bytesOf(12_345)],
      ["large content, as a stream", large],
    ])("stores %s", async (__, bytes) => {
      const [server, descry] = await start();
      const progress: TransferProgress[] = [];
      const receipt = await descry.push(`${REPOSITORY}:v1`, sourceOf(bytes), {
        descriptor: descriptorOf(bytes, "text/plain"),
        onProgress: (step) => progress.push(step),
      });
      const digest = sha256(bytes);
      expect(receipt).toEqual({
        ref: `${REPOSITORY}:v1`,
        desc: { mediaType: "text/plain", digest, size: bytes.byteLength },
        pinnedRef: `${REPOSITORY}@${digest}`,
        outcome: "created",
      });
      expect(sha256(server.registry.content.get(`${REPOSITORY}@${digest}`)?.bytes ?? bytesOf(1))).toBe(digest);
      expect(server.registry.tags.get(`${REPOSITORY}:v1`)).toBe(digest);
      expect(progress.at(-1)).toEqual({ digest, offset: bytes.byteLength, total: bytes.byteLength });
      const streamed = bytes.byteLength > 4 * MiB;
      expect(server.requests.at(-1)?.path).toBe(`/descry.v1.ContentService/Push${streamed ? "Stream" : ""}`);
    });
  });

  test("computes the descriptor of what can be read twice, with the algorithm asked for", async () => {
    const [server, descry] = await start();
    const receipt = await descry.push(REPOSITORY, new Blob([large]), { mediaType: "text/plain" });
    expect(receipt.desc).toEqual(descriptorOf(large, "text/plain"));
    // printf abc | sha512sum
    const abc =
      "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
    const push = descry.push(REPOSITORY, new TextEncoder().encode("abc"), { algorithm: "sha512" });
    // This test's server knows sha256 only: what counts is what it was asked.
    await expect(push).rejects.toMatchObject({ reason: "DIGEST_MISMATCH", message: `not ${abc}` });
    expect(server.requests).toHaveLength(3);
  });

  test("wants the descriptor of a stream", async () => {
    const [server, descry] = await start();
    const push = descry.push(REPOSITORY, chunksOf(bytesOf(10), 3));
    await expect(push).rejects.toMatchObject({ reason: "FIELD_INVALID", violations: [{ field: "descriptor" }] });
    expect(server.requests).toEqual([]);
  });

  test.each([9, 11])("refuses a small stream of %d bytes for 10 before it sends anything", async (length) => {
    const [server, descry] = await start();
    let ended = false;
    const source = chunksOf(bytesOf(length), 3, () => (ended = true));
    const push = descry.push(REPOSITORY, source, { descriptor: descriptorOf(bytesOf(10)) });
    await expect(push).rejects.toMatchObject({ reason: "SIZE_MISMATCH", code: "invalid_argument" });
    expect(server.requests).toEqual([]);
    expect(ended).toBe(true);
  });

  test("fails with the server's verdict about a stream", async () => {
    const [, descry] = await start();
    const descriptor = { ...descriptorOf(large), digest: sha256(bytesOf(1)) as `${string}:${string}` };
    const push = descry.push(REPOSITORY, large, { descriptor });
    await expect(push).rejects.toMatchObject({ reason: "DIGEST_MISMATCH", code: "invalid_argument" });
  });

  test("an error of the source comes through as it is, and what came is kept", async () => {
    const [server, descry] = await start();
    const mine = new Error("disk on fire");
    const source = (async function* () {
      yield large.subarray(0, MiB);
      throw mine;
    })();
    const push = descry.push(REPOSITORY, source, { descriptor: descriptorOf(large) });
    await expect(push).rejects.toBe(mine);
    expect(server.registry.content.size).toBe(0);
  });

  test("sends no byte of content that is there", async () => {
    const [server, descry] = await start();
    server.registry.seed(REPOSITORY, large);
    let read = 0;
    const open = async function* () {
      read += 1;
      yield large;
    };
    const receipt = await descry.push(`${REPOSITORY}:again`, { open }, { descriptor: descriptorOf(large) });
    expect(receipt.outcome).toBe("existed");
    expect(read).toBe(0);
    expect(server.registry.tags.get(`${REPOSITORY}:again`)).toBe(sha256(large));
  });

  test("takes an answer that comes while it still sends, and ends the source", async () => {
    const [server, descry] = await start();
    server.registry.seed(REPOSITORY, large);
    const end = Promise.withResolvers<string>();
    const source = chunksOf(large, 64 * 1024, () => end.resolve("ended"));
    const receipt = await descry.push(REPOSITORY, source, { descriptor: descriptorOf(large) });
    expect(receipt.outcome).toBe("existed");
    expect(await end.promise).toBe("ended");
  });

  test("an early error is the answer too", async () => {
    const [, descry] = await start(() => ({
      pushStream: async (messages) => {
        await messages[Symbol.asyncIterator]().next();
        throw wireError(Code.ResourceExhausted, "STORAGE_FULL", "the store is full");
      },
    }));
    await expect(descry.push(REPOSITORY, large)).rejects.toMatchObject({ reason: "STORAGE_FULL" });
  });

  /** Cuts the connection of the first `times` streams after 2 MiB. */
  async function startCutting(times: number): Promise<[PlainServer, Descry, bigint[]]> {
    const offsets: bigint[] = [];
    const [server, descry] = await start((registry, cut) => ({
      pushStream: async (messages, context) => {
        let received = 0;
        return await registry.service.pushStream(
          (async function* () {
            for await (const message of messages) {
              yield message;
              if (message.part.case === "header") offsets.push(message.part.value.offset);
              if (message.part.case === "data") received += message.part.value.byteLength;
              if (received >= 2 * MiB && offsets.length <= times) cut();
            }
          })(),
          context,
        );
      },
    }));
    return [server, descry, offsets];
  }

  test("goes on from where the server got when the connection broke", async () => {
    const [server, descry, offsets] = await startCutting(2);
    const opens: number[] = [];
    const open = (offset: number) => {
      opens.push(offset);
      return chunksOf(large.subarray(offset), 64 * 1024);
    };
    const receipt = await descry.push(REPOSITORY, { open }, { descriptor: descriptorOf(large) });
    expect(receipt.outcome).toBe("created");
    expect(sha256(server.registry.content.get(largeKey)?.bytes ?? bytesOf(1))).toBe(sha256(large));
    expect(opens).toHaveLength(3);
    expect(opens.map(BigInt)).toEqual(offsets);
    expect(opens[0]).toBe(0);
    expect(opens[1]).toBeGreaterThanOrEqual(2 * MiB);
    expect(opens[2]).toBeGreaterThanOrEqual(4 * MiB);
  });

  test("starts where an earlier push of the same content broke off", async () => {
    const [server, descry, offsets] = await startCutting(0);
    server.registry.uploads.set(largeKey, large.slice(0, 5 * MiB));
    await descry.push(REPOSITORY, large);
    expect(offsets).toEqual([BigInt(5 * MiB)]);
    expect(server.registry.content.has(largeKey)).toBe(true);
  });

  test("starts over where the server says so", async () => {
    const [server, descry] = await start((registry) => {
      let prepared = 0;
      return {
        preparePush: async (request, context) => {
          prepared += 1;
          const answer = await registry.service.preparePush(request, context);
          // The upload is swept between the question and the push.
          if (prepared === 1) registry.uploads.clear();
          return answer;
        },
      };
    });
    server.registry.uploads.set(largeKey, large.slice(0, 5 * MiB));
    expect((await descry.push(REPOSITORY, large)).outcome).toBe("created");
    expect(server.registry.content.has(largeKey)).toBe(true);
  });

  test("gives up when nothing gets through, and at once for a stream that cannot be read again", async () => {
    let calls = 0;
    const [, descry] = await start((_, cut) => ({
      pushStream: async (messages) => {
        calls += 1;
        await messages[Symbol.asyncIterator]().next();
        cut();
        return {};
      },
    }));
    await expect(descry.push(REPOSITORY, large)).rejects.toMatchObject({ code: "unavailable" });
    expect(calls).toBe(4);
    const once = descry.push(REPOSITORY, chunksOf(large, MiB), { descriptor: descriptorOf(large) });
    await expect(once).rejects.toMatchObject({ code: "unavailable" });
    expect(calls).toBe(5);
  });

  test("asks again for an answer that got lost, though the stream cannot be read again", async () => {
    let calls = 0;
    const [server, descry] = await start((registry, cut) => ({
      pushStream: async (messages, context) => {
        calls += 1;
        const answer = await registry.service.pushStream(messages, context);
        if (calls === 1) cut();
        return answer;
      },
    }));
    const source = chunksOf(large, MiB);
    const receipt = await descry.push(`${REPOSITORY}:v1`, source, { descriptor: descriptorOf(large) });
    expect(receipt.outcome).toBe("existed");
    expect(server.registry.tags.get(`${REPOSITORY}:v1`)).toBe(sha256(large));
  });

  test("is cancelled in the middle", async () => {
    const [server, descry] = await start();
    const abort = new AbortController();
    const push = descry.push(REPOSITORY, large, {
      signal: abort.signal,
      onProgress: ({ offset }) => {
        if (offset >= MiB) abort.abort("enough");
      },
    });
    await expect(push).rejects.toMatchObject({ code: "canceled", cause: "enough" });
    expect(server.registry.content.size).toBe(0);
  });
});

test("messages are the same bytes in pieces of 256 KiB, even if the source uses its chunk again", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 400_000 }), { maxLength: 8 }), async (lengths) => {
      const whole = bytesOf(lengths.reduce((sum, length) => sum + length, 0));
      const scratch = new Uint8Array(400_000);
      const source = (async function* () {
        let at = 0;
        for (const length of lengths) {
          scratch.set(whole.subarray(at, at + length));
          yield scratch.subarray(0, length);
          scratch.fill(0);
          at += length;
        }
      })();
      const messages: Uint8Array[] = [];
      // What is yielded must be used before the next one is asked for, as a transport does.
      for await (const message of inMessages(source)) messages.push(message.slice());
      expect(Buffer.concat(messages).equals(whole)).toBe(true);
      for (const message of messages.slice(0, -1)) expect(message.byteLength).toBe(256 * 1024);
    }),
    { numRuns: 30 },
  );
});
