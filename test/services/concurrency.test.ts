import { once } from "node:events";
import { connect } from "node:http2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Presence } from "../../src/gen/descry/v1/content_service_pb.ts";
import { ConditionCheck, Outcome } from "../../src/gen/descry/v1/types_pb.ts";
import { bytesOf } from "../support/bytes.ts";
import { wires } from "../support/clients.ts";
import {
  type ContentServer,
  descriptorOf,
  INDEX,
  manifestOf,
  pushManifest,
  pushMessages,
  refusal,
  startContentServer,
} from "../support/content-server.ts";
import { dial } from "../support/raw.ts";

let server: ContentServer;
beforeAll(async () => {
  server = await startContentServer();
});
afterAll(() => server.stop());

const REF = "descry.local/race";

/** A source that gives its first bytes, and the rest when told to. */
function held(first: Uint8Array, rest: Uint8Array) {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const chunks = (async function* () {
    yield first;
    ask();
    await released;
    yield rest;
  })();
  return { chunks, release, asked };
}

describe("pushes of one digest to one repository queue", () => {
  const blob = bytesOf(200_000, 21);
  const desc = descriptorOf(blob);

  test.each(["connect over HTTP/2 at http", "grpc over HTTP/2 at http", "connect over HTTP/1.1 at http"])(
    "%s: the second is answered EXISTED when the first is done, before it sent its bytes",
    async (name) => {
      const wire = wires.find((one) => one.name === name)?.open(server);
      if (wire === undefined) throw new Error(`no ${name}`);
      const ref = `${REF}/${wires.findIndex((one) => one.name === name)}`;
      try {
        const [first, second] = [
          held(blob.subarray(0, 100_000), blob.subarray(100_000)),
          held(blob.subarray(0, 1), blob),
        ];
        const one = wire.content.pushStream(pushMessages({ ref, desc }, first.chunks));
        await first.asked;
        let answered = false;
        const two = wire.content
          .pushStream(pushMessages({ ref, desc }, second.chunks))
          .finally(() => (answered = true));
        await second.asked;
        expect(answered).toBe(false);
        first.release();
        expect((await one).receipt?.outcome).toBe(Outcome.CREATED);
        // Its source is still held: the answer came without the rest.
        expect((await two).receipt).toMatchObject({ outcome: Outcome.EXISTED, desc: { digest: desc.digest } });
        second.release();
      } finally {
        wire.close();
      }
    },
  );

  test.each([
    ["an unknown algorithm", { ...descriptorOf(manifestOf("x"), INDEX), digest: `sha384:${"0".repeat(96)}` }],
    ["a manifest too large", { ...desc, mediaType: INDEX, size: 4_194_305n }],
    ["a size that is none", { ...desc, size: -1n }],
  ])("%s is refused before its bytes are sent", async (_, wrong) => {
    const source = held(blob.subarray(0, 1), blob);
    const { reason } = await refusal(
      server.client().pushStream(pushMessages({ ref: `${REF}/refused`, desc: wrong }, source.chunks)),
    );
    expect(["DIGEST_UNSUPPORTED", "CONTENT_TOO_LARGE", "FIELD_INVALID"]).toContain(reason);
    source.release();
  });

  test("another digest, and another repository, do not wait", async () => {
    const first = held(blob.subarray(0, 1000), blob.subarray(1000));
    const client = server.client();
    const one = client.pushStream(pushMessages({ ref: `${REF}/waits`, desc }, first.chunks));
    await first.asked;
    const other = bytesOf(10, 22);
    await client.push({ ref: `${REF}/waits`, desc: descriptorOf(other), data: other });
    await client.push({ ref: `${REF}/free`, desc, data: blob });
    first.release();
    await one;
  });

  test("one that fails lets the next have its turn", async () => {
    const ref = `${REF}/fails`;
    const wrong = held(blob.subarray(0, 1000), bytesOf(199_000, 23));
    const client = server.client();
    const one = refusal(client.pushStream(pushMessages({ ref, desc }, wrong.chunks)));
    await wrong.asked;
    const two = client.push({ ref, desc, data: blob });
    wrong.release();
    expect(await one).toMatchObject({ reason: "DIGEST_MISMATCH" });
    expect((await two).receipt?.outcome).toBe(Outcome.CREATED);
  });
});

describe("if_current", () => {
  const manifests = Array.from({ length: 12 }, (_, i) => manifestOf(`writer ${i}`));

  test.each(["absent", "digest"] as const)("of writers that race with %s exactly one wins", async (condition) => {
    const client = server.client();
    const ref = `${REF}/tags:${condition}`;
    const before = condition === "absent" ? "" : await pushManifest(client, ref, manifestOf("before"));
    const ifCurrent = condition === "absent" ? { absent: true } : { digest: before };
    const outcomes = await Promise.allSettled(
      manifests.map(async (data, i) => {
        const desc = descriptorOf(data, INDEX);
        if (i % 2 === 0) return await client.push({ ref, desc, data, ifCurrent });
        await client.push({ ref: `${REF}/tags`, desc, data });
        return await client.setTag({ ref, digest: desc.digest, ifCurrent });
      }),
    );
    const won = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value.receipt] : []));
    expect(won).toHaveLength(1);
    expect(won[0]).toMatchObject({ previousDigest: before, conditionCheck: ConditionCheck.ATOMIC });
    const winner = won[0]?.desc?.digest ?? "";
    expect((await client.resolve({ ref })).desc?.digest).toBe(winner);
    for (const outcome of outcomes)
      if (outcome.status === "rejected")
        expect(await refusal(Promise.reject(outcome.reason))).toMatchObject({
          code: "aborted",
          reason: "TAG_CHANGED",
          metadata: { current_digest: winner },
        });
  });

  test("a tag that points there already fulfils every condition, so that a lost answer can be asked for again", async () => {
    const client = server.client();
    const ref = `${REF}/again:v1`;
    const data = manifestOf("again");
    const desc = descriptorOf(data, INDEX);
    for (const outcome of [Outcome.CREATED, Outcome.EXISTED]) {
      const { receipt } = await client.push({ ref, desc, data, ifCurrent: { absent: true } });
      expect(receipt).toMatchObject({ outcome, conditionCheck: ConditionCheck.ATOMIC });
    }
    const again = await client.setTag({ ref, digest: desc.digest, ifCurrent: { absent: true } });
    expect(again.receipt).toMatchObject({ outcome: Outcome.EXISTED, previousDigest: desc.digest });
  });
});

describe("an interrupted push", () => {
  const blob = bytesOf(1_000_000, 31);
  const desc = descriptorOf(blob);
  const client = () => server.client();
  const offsetOf = async (ref: string) => {
    const { states } = await client().preparePush({ repository: ref, descs: [desc] });
    return states[0];
  };

  test("closed early keeps what came, and goes on from there", async () => {
    const ref = `${REF}/early`;
    const cut = pushMessages({ ref, desc }, [blob.subarray(0, 300_000), blob.subarray(300_000, 400_001)]);
    expect(await refusal(client().pushStream(cut))).toEqual({
      code: "invalid_argument",
      reason: "SIZE_MISMATCH",
      fields: ["header.desc.size"],
      metadata: { op: "PushStream", digest: desc.digest, size: "1000000", offset: "400001" },
    });
    expect(await offsetOf(ref)).toMatchObject({ presence: Presence.MISSING, offset: 400_001n });
    const wrong = { ref, desc, offset: 400_000n };
    expect(await refusal(client().pushStream(pushMessages(wrong, [blob.subarray(400_000)])))).toMatchObject({
      code: "aborted",
      reason: "OFFSET_MISMATCH",
      metadata: { offset: "400001" },
    });
    const rest = pushMessages({ ref, desc, offset: 400_001n }, [blob.subarray(400_001)]);
    expect((await client().pushStream(rest)).receipt?.outcome).toBe(Outcome.CREATED);
    expect(await offsetOf(ref)).toMatchObject({ presence: Presence.PRESENT, offset: 0n });
  });

  test("begun again at 0 forgets what came", async () => {
    const ref = `${REF}/over`;
    await refusal(client().pushStream(pushMessages({ ref, desc }, [blob.subarray(0, 500)])));
    await refusal(client().pushStream(pushMessages({ ref, desc }, [blob.subarray(0, 200)])));
    expect(await offsetOf(ref)).toMatchObject({ offset: 200n });
  });

  test.each([
    ["beyond the content", 1_000_001n],
    ["where nothing came", 7n],
  ])("an offset %s is OFFSET_MISMATCH", async (_, offset) => {
    const pushing = client().pushStream(pushMessages({ ref: `${REF}/none`, desc, offset }, [blob]));
    expect(await refusal(pushing)).toMatchObject({ reason: "OFFSET_MISMATCH", metadata: { offset: "0" } });
  });

  test("a manifest is sent whole", async () => {
    const data = manifestOf("whole");
    const whole = { ref: `${REF}/whole`, desc: descriptorOf(data, INDEX) };
    expect(await refusal(client().pushStream(pushMessages(whole, [data.subarray(0, 10)])))).toMatchObject({
      reason: "SIZE_MISMATCH",
    });
    const { states } = await client().preparePush({ repository: whole.ref, descs: [whole.desc] });
    expect(states).toMatchObject([{ presence: Presence.MISSING, offset: 0n }]);
    expect(
      await refusal(client().pushStream(pushMessages({ ...whole, offset: 10n }, [data.subarray(10)]))),
    ).toMatchObject({ reason: "OFFSET_MISMATCH", metadata: { offset: "0" } });
  });

  test("what came with bytes that then turned out wrong is not kept", async () => {
    const ref = `${REF}/wrong`;
    const wrong = [blob.subarray(0, 999_999), bytesOf(1, 77)];
    expect(await refusal(client().pushStream(pushMessages({ ref, desc }, wrong)))).toMatchObject({
      reason: "DIGEST_MISMATCH",
    });
    expect(await offsetOf(ref)).toMatchObject({ presence: Presence.MISSING, offset: 0n });
  });

  /** The first messages of an upload as Connect's JSON has them (connectrpc.com/docs/protocol, "Streaming"). */
  function beginning(ref: string, bytes: number): Buffer {
    const header = { header: { ref, desc: { ...desc, size: String(desc.size) } } };
    const messages = [header, { data: Buffer.from(blob.subarray(0, bytes)).toString("base64") }].map((message) => {
      const body = Buffer.from(JSON.stringify(message));
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(body.byteLength, 1);
      return Buffer.concat([prefix, body]);
    });
    return Buffer.concat(messages);
  }
  const PATH = "/descry.v1.ContentService/PushStream";
  const TYPE = "application/connect+json";

  test("whose process ends keeps what the server had, over HTTP/1.1", async () => {
    const ref = `${REF}/cut1`;
    const socket = dial(server.http);
    await once(socket, "connect");
    socket.write(
      `POST ${PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${TYPE}\r\nContent-Length: 5000000\r\n\r\n`,
    );
    socket.write(beginning(ref, 30_000), () => socket.end());
    // The connection's end comes before the disk has what came.
    await expect.poll(async () => (await offsetOf(ref))?.offset).toBe(30_000n);
  });

  test("whose process ends holds up nobody, over HTTP/2 either", async () => {
    const ref = `${REF}/cut2`;
    const before = (await server.store.usage()).uploads;
    const socket = dial(server.http);
    const session = connect(server.http, { createConnection: () => socket });
    session.on("error", () => undefined);
    const stream = session.request({ ":method": "POST", ":path": PATH, "content-type": TYPE });
    stream.on("error", () => undefined);
    stream.write(beginning(ref, 30_000));
    await expect.poll(async () => (await server.store.usage()).uploads).toBeGreaterThan(before);
    socket.end();
    // It would wait for the first in the queue, were that not over.
    expect((await client().push({ ref, desc, data: blob })).receipt?.outcome).toBe(Outcome.CREATED);
    session.destroy();
  });
});
