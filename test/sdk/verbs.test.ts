import { afterEach, describe, expect, test } from "vitest";
import { createDescry, type Descry } from "../../src/sdk/index.ts";
import { bytesOf } from "../support/bytes.ts";
import { type Misbehaviour, type PlainServer, startPlainServer } from "../support/plain-server.ts";

const REPOSITORY = "descry.local/team/app";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).toReversed()) await thing.close();
});

async function start(misbehave?: Misbehaviour): Promise<[PlainServer, Descry]> {
  const server = await startPlainServer(misbehave);
  const descry = createDescry({ baseUrl: server.url });
  opened.push(server, descry);
  return [server, descry];
}

async function listed<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("tags", () => {
  test("are listed over all pages, and page by page", async () => {
    const [server, descry] = await start();
    const digest = server.registry.seed(REPOSITORY, bytesOf(1), MANIFEST);
    for (const tag of ["a1", "a2", "a3", "b1"]) server.registry.tags.set(`${REPOSITORY}:${tag}`, digest);
    const tags = await listed(descry.listTags(REPOSITORY, { pageSize: 2, prefix: "a" }));
    expect(tags).toEqual(["a1", "a2", "a3"].map((name) => ({ name, digest })));
    const first = await descry.listTagsPage(REPOSITORY, { pageSize: 3 });
    expect(first.nextPageToken).toBe("3");
    const last = await descry.listTagsPage(REPOSITORY, { pageSize: 3, pageToken: "3" });
    expect(last.tags.map(({ name }) => name)).toEqual(["b1"]);
    expect(last.nextPageToken).toBeUndefined();
  });

  test("are set under a condition", async () => {
    const [server, descry] = await start();
    const one = server.registry.seed(REPOSITORY, bytesOf(1), MANIFEST, "v1");
    const two = server.registry.seed(REPOSITORY, bytesOf(2), MANIFEST);
    const moved = await descry.setTag(`${REPOSITORY}:v1`, two);
    expect(moved).toMatchObject({ previousDigest: one, desc: { digest: two } });
    expect(moved).not.toHaveProperty("conditionCheck");
    const refused = descry.setTag(`${REPOSITORY}:v1`, one, { ifCurrent: { absent: true } });
    await expect(refused).rejects.toMatchObject({ reason: "TAG_CHANGED", metadata: { current_digest: two } });
    const set = await descry.setTag(`${REPOSITORY}:v2`, one, { ifCurrent: { absent: true } });
    expect(set).toMatchObject({ conditionCheck: "atomic" });
  });
});

test("referrers are descriptors with their artifact types", async () => {
  const [server, descry] = await start();
  const subject = server.registry.seed(REPOSITORY, bytesOf(1), "text/plain", "v1");
  const referrer = (artifactType: string) => {
    const json = JSON.stringify({ schemaVersion: 2, artifactType, subject: { digest: subject } });
    return server.registry.seed(REPOSITORY, new TextEncoder().encode(json), MANIFEST);
  };
  const [sbom, signature] = [referrer("sbom"), referrer("signature")];
  const all = await listed(descry.listReferrers(`${REPOSITORY}:v1`));
  expect(all.map(({ digest, artifactType }) => [digest, artifactType])).toEqual([
    [sbom, "sbom"],
    [signature, "signature"],
  ]);
  const page = await descry.listReferrersPage(`${REPOSITORY}:v1`, { artifactTypes: ["sbom"] });
  expect(page).toMatchObject({ referrers: [{ digest: sbom }], subjectDigest: subject, source: "api" });
});

test("delete says what goes, before and after", async () => {
  const [server, descry] = await start();
  const digest = server.registry.seed(REPOSITORY, bytesOf(1), MANIFEST, "v1");
  const ref = `${REPOSITORY}@${digest}`;
  const gone = { ref, deleted: true, digest, tags: ["v1"], namedBy: [] };
  expect(await descry.delete(ref, { validateOnly: true })).toEqual(gone);
  expect(server.registry.content.size).toBe(1);
  expect(await descry.delete(ref)).toEqual(gone);
  expect(server.registry.content.size).toBe(0);
  const nothing = { ref, deleted: false, tags: [], namedBy: [] };
  expect(await descry.delete(ref, { allowMissing: true })).toEqual(nothing);
});

describe("copy", () => {
  test("tells its progress and answers the receipt", async () => {
    const [server, descry] = await start();
    const digest = server.registry.seed(REPOSITORY, bytesOf(1), MANIFEST, "v1");
    const seen: unknown[] = [];
    const target = "descry.local/prod/app:v1";
    const receipt = await descry.copy(`${REPOSITORY}:v1`, target, {
      onProgress: ({ state, offset, desc }) => seen.push([state, offset, desc.digest]),
    });
    expect(receipt).toMatchObject({ ref: target, desc: { digest }, outcome: "created" });
    expect(seen).toEqual([["running", 1, digest]]);
  });

  test("fails if the stream ends without a receipt", async () => {
    const [, descry] = await start(() => ({ async *copy() {} }));
    await expect(descry.copy(`${REPOSITORY}:v1`, `${REPOSITORY}:v2`)).rejects.toMatchObject({ code: "internal" });
  });
});

test("preparePush asks in pages and joins the answers", async () => {
  const [server, descry] = await start();
  const there = server.registry.seed(REPOSITORY, bytesOf(7));
  const hex = (n: number): string => n.toString(16).padStart(64, "0");
  const descs = Array.from({ length: 300 }, (_, i) => ({
    mediaType: "",
    digest: `sha256:${hex(i)}` as const,
    size: i,
  }));
  const last = { mediaType: "", digest: there as `${string}:${string}`, size: 7 };
  const { states, heldUntil } = await descry.preparePush(REPOSITORY, [...descs, last]);
  expect(states).toHaveLength(301);
  expect(states[299]).toEqual({ digest: `sha256:${hex(299)}`, presence: "missing", offset: 0 });
  expect(states[300]).toEqual({ digest: there, presence: "present", offset: 0 });
  expect(heldUntil).toEqual(new Date(1_700_086_400_000));
  expect(server.requests).toHaveLength(2);
});
