import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Presence, ReferrersSource } from "../../src/gen/descry/v1/content_service_pb.ts";
import { ConditionCheck, ContentKind, Outcome, ServedBy, TransferState } from "../../src/gen/descry/v1/types_pb.ts";
import { bytesOf, collect } from "../support/bytes.ts";
import {
  CONFIG,
  type ContentServer,
  descriptorOf,
  INDEX,
  json,
  MANIFEST,
  manifestOf,
  pushManifest,
  pushMessages,
  refusal,
  startContentServer,
} from "../support/content-server.ts";

/** 2026-01-01T00:00:00Z; the server's clock stands still but for `later`. */
let now = 1_767_225_600_000;
const DAY_MS = 24 * 60 * 60 * 1000;

let server: ContentServer;
let client: ReturnType<ContentServer["client"]>;
beforeAll(async () => {
  server = await startContentServer({ clock: () => now });
  client = server.client();
});
afterAll(() => server.stop());

const ABSENT = `sha256:${"0".repeat(64)}`;
const five = new TextEncoder().encode("12345");
const fiveDesc = descriptorOf(five, "text/plain");
const later = (ms: number): void => void (now += ms);

/** An image with a config and a layer in a repository. */
async function pushImage(repository: string, tag = "") {
  const [config, layer] = [json({ os: "linux", repository }), bytesOf(300_000, repository.length)];
  const [configDesc, layerDesc] = [
    descriptorOf(config, CONFIG),
    descriptorOf(layer, "application/vnd.oci.image.layer.v1.tar"),
  ];
  await client.push({ ref: repository, desc: configDesc, data: config });
  await client.push({ ref: repository, desc: layerDesc, data: layer });
  const plain = ({ mediaType, digest, size }: typeof configDesc) => ({ mediaType, digest, size: Number(size) });
  const data = json({ schemaVersion: 2, mediaType: MANIFEST, config: plain(configDesc), layers: [plain(layerDesc)] });
  const desc = descriptorOf(data, MANIFEST);
  await client.push({ ref: repository + tag, desc, data });
  return { desc, data, configDesc, layerDesc, layer };
}

describe("Resolve", () => {
  test("says what a tag names now, and how current that is", async () => {
    const { desc } = await pushImage("descry.local/resolve", ":v1");
    const answer = await client.resolve({ ref: "descry.local/resolve:v1" });
    expect(answer).toMatchObject({
      ref: "descry.local/resolve:v1",
      desc,
      pinnedRef: `descry.local/resolve@${desc.digest}`,
      freshness: { servedBy: ServedBy.STORE, host: "", stale: false },
    });
    expect(answer.freshness?.observedAt && timestampMs(answer.freshness.observedAt)).toBe(now);
    expect(answer.freshness?.freshUntil && timestampMs(answer.freshness.freshUntil)).toBe(now);
  });

  test("by digest: immutable since it was verified, whatever it is; the digest decides over a tag", async () => {
    const { layerDesc } = await pushImage("descry.local/resolve");
    const verified = now;
    later(1000);
    const ref = `descry.local/resolve:none@${layerDesc.digest}`;
    const answer = await client.resolve({ ref, onlyCached: true, maxAge: { seconds: 0n, nanos: 0 } });
    expect(answer).toMatchObject({ ref, desc: layerDesc, pinnedRef: `descry.local/resolve@${layerDesc.digest}` });
    expect(answer.freshness?.observedAt && timestampMs(answer.freshness.observedAt)).toBe(verified);
    expect(answer.freshness?.freshUntil).toBeUndefined();
  });

  test("with neither tag nor digest means latest", async () => {
    await pushImage("descry.local/latest", ":latest");
    expect(await client.resolve({ ref: "DESCRY.LOCAL/latest" })).toMatchObject({ ref: "descry.local/latest:latest" });
  });

  test.each([
    ["descry.local/nowhere:v1", "REPOSITORY_UNKNOWN"],
    [`descry.local/nowhere@${ABSENT}`, "REPOSITORY_UNKNOWN"],
    ["descry.local/resolve:none", "TAG_UNKNOWN"],
    ["descry.local/resolve", "TAG_UNKNOWN"],
    [`descry.local/resolve@${ABSENT}`, "CONTENT_UNKNOWN"],
    [`descry.local/resolve@sha384:${"0".repeat(96)}`, "CONTENT_UNKNOWN"],
  ])("%s: %s", async (ref, reason) => {
    await pushImage("descry.local/resolve", ":v1");
    expect(await refusal(client.resolve({ ref }))).toMatchObject({ code: "not_found", reason });
    expect(await refusal(client.fetch({ ref }))).toMatchObject({ code: "not_found", reason });
  });
});

describe("Fetch and FetchStream", () => {
  const ref = "descry.local/fetch";
  const big = bytesOf(4_194_305, 5);
  const bigDesc = descriptorOf(big, "application/x-big");
  beforeAll(async () => {
    await client.pushStream(
      pushMessages({ ref, desc: bigDesc }, [big.subarray(0, 3_000_000), big.subarray(3_000_000)]),
    );
    await client.push({ ref, desc: fiveDesc, data: five });
  });

  /** A stream in one piece, after a look at each message. */
  async function stream(request: { digest: string; offset?: bigint; length?: bigint }) {
    const chunks: Uint8Array[] = [];
    let at: bigint | undefined;
    for await (const { part, offset } of client.fetchStream({ ref, ...request })) {
      if (at === undefined) {
        expect(part).toMatchObject({ case: "header", value: { verified: true } });
        at = offset;
        continue;
      }
      if (part.case !== "data") throw new Error(`a second ${part.case ?? "nothing"}`);
      expect(offset).toBe(at);
      expect(part.value.byteLength).toBeLessThanOrEqual(262_144);
      at += BigInt(part.value.byteLength);
      chunks.push(part.value);
    }
    return new Uint8Array(Buffer.concat(chunks));
  }

  test.each([
    [0n, 0n],
    [0n, 1n],
    [262_143n, 2n],
    [4_194_304n, 0n],
    [4_194_305n, 0n],
    [4_000_000n, 4_194_304n],
    [1n, 4_194_304n],
  ])("from %d, %d bytes", async (offset, length) => {
    const end = length === 0n ? big.byteLength : Number(offset + length);
    const expected = big.subarray(Number(offset), end);
    expect(Buffer.compare(await stream({ digest: bigDesc.digest, offset, length }), expected)).toBe(0);
    if (expected.byteLength > 4_194_304) return;
    const answer = await client.fetch({ ref, digest: bigDesc.digest, offset, length });
    expect(answer).toMatchObject({ ref: `${ref}@${bigDesc.digest}`, desc: bigDesc, offset, verified: true });
    expect(Buffer.compare(answer.data, expected)).toBe(0);
  });

  test("Fetch never cuts short", async () => {
    expect(await refusal(client.fetch({ ref, digest: bigDesc.digest }))).toEqual({
      code: "failed_precondition",
      reason: "CONTENT_TOO_LARGE",
      fields: [],
      metadata: { op: "Fetch", digest: bigDesc.digest, size: "4194305", limit: "4194304", use: "FetchStream" },
    });
  });

  test("an offset beyond the end is told the size", async () => {
    const beyond = { ref, digest: fiveDesc.digest, offset: 6n };
    const expected = { code: "out_of_range", reason: "RANGE_INVALID", metadata: { size: "5" } };
    expect(await refusal(client.fetch(beyond))).toMatchObject(expected);
    expect(await refusal(collect(bytesIn(client.fetchStream(beyond))))).toMatchObject(expected);
  });

  test("a media type of the request is the answer's", async () => {
    const asked = { ref, digest: fiveDesc.digest, mediaType: "text/html" };
    expect((await client.fetch(asked)).desc?.mediaType).toBe("text/html");
    expect((await client.fetch({ ...asked, mediaType: "" })).desc?.mediaType).toBe("text/plain");
  });

  test("bytes that went bad are DATA_LOSS until they are pushed again", async () => {
    const lost = bytesOf(1000, 41);
    const desc = descriptorOf(lost);
    await client.push({ ref, desc, data: lost });
    await server.spoil(desc.digest);
    await server.store.check();
    const read = { ref, digest: desc.digest };
    const expected = { code: "data_loss", reason: "STORE_CORRUPT", metadata: { side: "store", digest: desc.digest } };
    expect(await refusal(client.fetch(read))).toMatchObject(expected);
    expect(await refusal(collect(bytesIn(client.fetchStream(read))))).toMatchObject(expected);
    const { states } = await client.preparePush({ repository: ref, descs: [desc] });
    expect(states).toMatchObject([{ presence: Presence.MISSING }]);
    expect((await client.push({ ref, desc, data: lost })).receipt?.outcome).toBe(Outcome.CREATED);
    expect(Buffer.compare((await client.fetch(read)).data, lost)).toBe(0);
  });
});

async function* bytesIn(messages: ReturnType<typeof client.fetchStream>): AsyncGenerator<Uint8Array> {
  for await (const { part } of messages) if (part.case === "data") yield part.value;
}

describe("PreparePush", () => {
  test("tells what is there, what was mounted and what to send, in order, and holds it", async () => {
    const { desc, configDesc, layerDesc } = await pushImage("descry.local/source");
    await client.push({ ref: "descry.local/target", desc: fiveDesc, data: five });
    later(DAY_MS - 1000);
    const { states, heldUntil } = await client.preparePush({
      repository: "descry.local/target",
      descs: [layerDesc, fiveDesc, desc, configDesc, descriptorOf(bytesOf(3))],
      mountFrom: ["descry.local/nowhere", "descry.local/source"],
    });
    const { MOUNTED, PRESENT, MISSING } = Presence;
    expect(states.map(({ presence }) => presence)).toEqual([MOUNTED, PRESENT, MISSING, MOUNTED, MISSING]);
    expect(states.map(({ digest }) => digest).slice(0, 2)).toEqual([layerDesc.digest, fiveDesc.digest]);
    const until = heldUntil === undefined ? 0 : timestampMs(heldUntil);
    expect(until).toBeGreaterThan(now);
    // Pushed a day before, named by no manifest: only the hold keeps it.
    now = until - 1;
    await server.store.collect();
    for (const { digest } of [layerDesc, fiveDesc, configDesc])
      await client.fetch({ ref: "descry.local/target", digest });
    now = until + 1;
    await server.store.collect();
    expect(await refusal(client.fetch({ ref: "descry.local/target", digest: fiveDesc.digest }))).toMatchObject({
      reason: "CONTENT_UNKNOWN",
    });
  });

  test("content of another size than claimed is not there", async () => {
    await client.push({ ref: "descry.local/sizes", desc: fiveDesc, data: five });
    const claimed = { ...fiveDesc, size: 6n };
    const { states } = await client.preparePush({ repository: "descry.local/sizes", descs: [claimed] });
    expect(states).toMatchObject([{ presence: Presence.MISSING }]);
    expect(await refusal(client.push({ ref: "descry.local/sizes", desc: claimed, data: bytesOf(6) }))).toMatchObject({
      reason: "SIZE_MISMATCH",
      fields: ["desc.size"],
      metadata: { size: "5" },
    });
  });
});

describe("Push", () => {
  const ref = "descry.local/push";

  test("stores and tags; the receipt says what was there before", async () => {
    const [one, two] = [manifestOf("one"), manifestOf("two")];
    const [first, second] = [descriptorOf(one, INDEX), descriptorOf(two, INDEX)];
    const push = async (data: Uint8Array<ArrayBuffer>, tag = ":v1") =>
      (await client.push({ ref: ref + tag, desc: descriptorOf(data, INDEX), data })).receipt;
    expect(await push(one)).toMatchObject({
      ref: `${ref}:v1`,
      desc: first,
      pinnedRef: `${ref}@${first.digest}`,
      outcome: Outcome.CREATED,
      previousDigest: "",
      conditionCheck: ConditionCheck.UNSPECIFIED,
      subjectDigest: "",
    });
    expect(await push(two)).toMatchObject({ outcome: Outcome.CREATED, previousDigest: first.digest });
    // Stored already, but the tag moves.
    expect(await push(one)).toMatchObject({ outcome: Outcome.CREATED, previousDigest: second.digest });
    expect(await push(one)).toMatchObject({ outcome: Outcome.EXISTED, previousDigest: first.digest });
    expect(await push(one, "")).toMatchObject({ ref, outcome: Outcome.EXISTED, previousDigest: "" });
    expect(await push(one, `@${first.digest}`)).toMatchObject({ ref: `${ref}@${first.digest}` });
  });

  test("no tag is ever assumed", async () => {
    await pushManifest(client, "descry.local/untagged", manifestOf("untagged"));
    expect((await client.listTags({ repository: "descry.local/untagged" })).tags).toEqual([]);
  });

  test("a receipt has what the registry has: the subject, also of what existed, and the media type", async () => {
    const subject = { mediaType: INDEX, digest: ABSENT, size: 2 };
    const data = manifestOf("referrer", { subject });
    for (const outcome of [Outcome.CREATED, Outcome.EXISTED]) {
      const { receipt } = await client.push({ ref, desc: descriptorOf(data, INDEX), data });
      expect(receipt).toMatchObject({ outcome, subjectDigest: ABSENT });
    }
    await client.push({ ref, desc: fiveDesc, data: five });
    const again = await client.push({ ref, desc: { ...fiveDesc, mediaType: "text/html" }, data: five });
    expect(again.receipt).toMatchObject({ outcome: Outcome.EXISTED, desc: fiveDesc });
  });

  test("a manifest under a type of somebody's own is one if the push says so", async () => {
    const desc = { ...fiveDesc, mediaType: "application/x-own" };
    expect(await refusal(client.push({ ref: `${ref}:own`, desc, data: five }))).toMatchObject({ fields: ["ref"] });
    await client.push({ ref: `${ref}:own`, desc, data: five, kind: ContentKind.MANIFEST });
    expect((await client.resolve({ ref: `${ref}:own` })).desc).toMatchObject(desc);
  });

  test("a condition that does not hold leaves the tag", async () => {
    const before = await pushManifest(client, `${ref}:kept`, manifestOf("kept"));
    const data = manifestOf("other");
    const attempt = client.push({
      ref: `${ref}:kept`,
      desc: descriptorOf(data, INDEX),
      data,
      ifCurrent: { absent: true },
    });
    expect(await refusal(attempt)).toMatchObject({
      code: "aborted",
      reason: "TAG_CHANGED",
      metadata: { current_digest: before },
    });
    expect((await client.resolve({ ref: `${ref}:kept` })).desc?.digest).toBe(before);
    const none = client.push({
      ref: `${ref}:new`,
      desc: descriptorOf(data, INDEX),
      data,
      ifCurrent: { digest: before },
    });
    expect(await refusal(none)).toMatchObject({ metadata: { current_digest: "" } });
  });

  test("more than 4 MiB is for PushStream", async () => {
    const data = new Uint8Array(4_194_305);
    expect(await refusal(client.push({ ref, desc: descriptorOf(data), data }))).toMatchObject({
      reason: "CONTENT_TOO_LARGE",
      metadata: { size: "4194305", limit: "4194304", use: "PushStream" },
    });
    const largest = data.subarray(1);
    expect((await client.push({ ref, desc: descriptorOf(largest), data: largest })).receipt?.desc?.size).toBe(
      4_194_304n,
    );
  });

  test("the empty blob is one", async () => {
    const nothing = new Uint8Array();
    const desc = descriptorOf(nothing);
    await client.pushStream(pushMessages({ ref, desc }, []));
    expect((await client.fetch({ ref, digest: desc.digest })).data.byteLength).toBe(0);
  });

  test("blobs that no manifest names are held for 24 h", async () => {
    const data = bytesOf(100, 51);
    const desc = descriptorOf(data);
    await client.push({ ref, desc, data });
    later(DAY_MS - 1);
    await server.store.collect();
    await client.fetch({ ref, digest: desc.digest });
    later(2);
    await server.store.collect();
    expect(await refusal(client.fetch({ ref, digest: desc.digest }))).toMatchObject({ reason: "CONTENT_UNKNOWN" });
  });
});

describe("Copy", () => {
  async function copy(request: Parameters<typeof client.copy>[0]) {
    const parts = [];
    for await (const { part } of client.copy(request)) parts.push(part);
    return parts;
  }

  test("a blob is mounted, then there; a manifest is carried, and tagged", async () => {
    const sourceRef = "descry.local/copy/from:v1";
    const targetRef = "descry.local/copy/to";
    const { desc, configDesc, layerDesc } = await pushImage("descry.local/copy/from", ":v1");
    const missing = refusal(copy({ sourceRef, targetRef: `${targetRef}:v1` }));
    expect(await missing).toMatchObject({ reason: "CHILD_MISSING", metadata: { side: "target" } });
    for (const [state, outcome] of [
      [TransferState.MOUNTED, Outcome.MOUNTED],
      [TransferState.EXISTED, Outcome.EXISTED],
    ])
      expect(await copy({ sourceRef, targetRef, desc: layerDesc })).toMatchObject([
        { case: "progress", value: { desc: layerDesc, state, offset: layerDesc.size } },
        { case: "receipt", value: { ref: targetRef, desc: layerDesc, outcome } },
      ]);
    await copy({ sourceRef, targetRef, desc: configDesc });
    expect(await copy({ sourceRef, targetRef: `${targetRef}:v2`, ifCurrent: { absent: true } })).toMatchObject([
      { value: { state: TransferState.DONE } },
      { value: { desc, outcome: Outcome.CREATED, conditionCheck: ConditionCheck.ATOMIC, ref: `${targetRef}:v2` } },
    ]);
    expect((await client.resolve({ ref: `${targetRef}:v2` })).desc?.digest).toBe(desc.digest);
  });

  test("refuses what the source does not have as it was said", async () => {
    const { layerDesc } = await pushImage("descry.local/copy/said");
    const request = { sourceRef: "descry.local/copy/said", targetRef: "descry.local/copy/to" };
    expect(await refusal(copy({ ...request, desc: { ...layerDesc, size: 1n } }))).toMatchObject({
      reason: "SIZE_MISMATCH",
      fields: ["desc.size"],
      metadata: { side: "source", size: "300000" },
    });
    expect(await refusal(copy({ ...request, desc: { ...layerDesc, digest: ABSENT } }))).toMatchObject({
      reason: "CONTENT_UNKNOWN",
      metadata: { side: "source" },
    });
  });
});

describe("SetTag", () => {
  test("moves a tag to a manifest the repository has, and to nothing else", async () => {
    const ref = "descry.local/set-tag";
    const { desc, layerDesc } = await pushImage(ref);
    const other = await pushManifest(client, `${ref}:v1`, manifestOf("set-tag"));
    const { receipt } = await client.setTag({ ref: `${ref}:v1`, digest: desc.digest, ifCurrent: { digest: other } });
    expect(receipt).toMatchObject({
      ref: `${ref}:v1`,
      desc,
      outcome: Outcome.CREATED,
      previousDigest: other,
      conditionCheck: ConditionCheck.ATOMIC,
    });
    for (const digest of [ABSENT, layerDesc.digest])
      expect(await refusal(client.setTag({ ref: `${ref}:v1`, digest }))).toMatchObject({
        code: "not_found",
        reason: "CONTENT_UNKNOWN",
      });
    expect((await client.resolve({ ref: `${ref}:v1` })).desc?.digest).toBe(desc.digest);
  });
});

describe("ListReferrers", () => {
  test("lists one level with types and annotations; an unknown subject has none", async () => {
    const ref = "descry.local/referrers";
    const { desc } = await pushImage(ref, ":v1");
    const subject = { mediaType: MANIFEST, digest: desc.digest, size: Number(desc.size) };
    const sbom = manifestOf("sbom", { artifactType: "application/sbom", subject });
    const digest = await pushManifest(client, ref, sbom);
    const signed = { mediaType: INDEX, digest, size: sbom.byteLength };
    await pushManifest(client, ref, manifestOf("signature", { artifactType: "x", subject: signed }));
    const answer = await client.listReferrers({ ref: `${ref}:v1` });
    expect(answer).toMatchObject({ subjectDigest: desc.digest, source: ReferrersSource.API, nextPageToken: "" });
    expect(answer.referrers).toMatchObject([
      { ...descriptorOf(sbom, INDEX), artifactType: "application/sbom", annotations: { name: "sbom" } },
    ]);
    const one = { ref: `${ref}@${digest}`, artifactTypes: ["y", "x"] };
    expect((await client.listReferrers(one)).referrers).toMatchObject([{ artifactType: "x" }]);
    expect((await client.listReferrers({ ...one, artifactTypes: ["y"] })).referrers).toEqual([]);
    for (const repository of [ref, "descry.local/nowhere"])
      expect((await client.listReferrers({ ref: `${repository}@${ABSENT}` })).referrers).toEqual([]);
    expect(await refusal(client.listReferrers({ ref: `${ref}:none` }))).toMatchObject({ reason: "TAG_UNKNOWN" });
  });
});

describe("Delete", () => {
  const ref = "descry.local/delete";

  test("of a tag leaves its manifest and its other tags", async () => {
    const digest = await pushManifest(client, `${ref}:a`, manifestOf("a"));
    await client.setTag({ ref: `${ref}:b`, digest });
    expect(await client.delete({ ref: `${ref}:a`, validateOnly: true })).toMatchObject({ deleted: true, digest });
    expect(await refusal(client.delete({ ref: `${ref}:a`, ifCurrent: { digest: ABSENT } }))).toMatchObject({
      reason: "TAG_CHANGED",
      metadata: { current_digest: digest },
    });
    const answer = await client.delete({ ref: `${ref}:a`, ifCurrent: { digest } });
    expect(answer).toMatchObject({ ref: `${ref}:a`, deleted: true, digest, tags: [], namedBy: [] });
    expect((await client.resolve({ ref: `${ref}:b` })).desc?.digest).toBe(digest);
    expect(await refusal(client.delete({ ref: `${ref}:a` }))).toMatchObject({ reason: "TAG_UNKNOWN" });
  });

  test("of a manifest takes its tags, and says who misses it", async () => {
    const child = manifestOf("child");
    const digest = await pushManifest(client, `${ref}:x`, child);
    await client.setTag({ ref: `${ref}:y`, digest });
    const parent = manifestOf("parent", { manifests: [{ mediaType: INDEX, digest, size: child.byteLength }] });
    const parentDigest = await pushManifest(client, ref, parent);
    const expected = { deleted: true, digest, tags: ["x", "y"], namedBy: [parentDigest] };
    expect(await client.delete({ ref: `${ref}@${digest}`, validateOnly: true })).toMatchObject(expected);
    expect(await client.delete({ ref: `${ref}@${digest}` })).toMatchObject(expected);
    expect(await refusal(client.resolve({ ref: `${ref}:x` }))).toMatchObject({ reason: "TAG_UNKNOWN" });
    expect(await refusal(client.fetch({ ref, digest }))).toMatchObject({ reason: "CONTENT_UNKNOWN" });
  });

  test("of a blob has to say so", async () => {
    const { desc, layerDesc } = await pushImage("descry.local/delete/blob", ":v1");
    const blob = { ref: `descry.local/delete/blob@${layerDesc.digest}` };
    expect(await refusal(client.delete(blob))).toMatchObject({ reason: "CONTENT_UNKNOWN" });
    expect(await client.delete({ ...blob, kind: ContentKind.BLOB })).toMatchObject({
      digest: layerDesc.digest,
      tags: [],
      namedBy: [desc.digest],
    });
  });

  test.each([
    ["descry.local/delete:none", "TAG_UNKNOWN"],
    [`descry.local/delete@${ABSENT}`, "CONTENT_UNKNOWN"],
    ["descry.local/nowhere:v1", "REPOSITORY_UNKNOWN"],
  ])("of nothing, %s, is %s unless that is allowed", async (missing, reason) => {
    await pushManifest(client, ref, manifestOf("nothing"));
    expect(await refusal(client.delete({ ref: missing }))).toMatchObject({ code: "not_found", reason });
    expect(await client.delete({ ref: missing, allowMissing: true })).toMatchObject({ ref: missing, deleted: false });
  });
});
