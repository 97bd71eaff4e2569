import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ContentService } from "../../src/gen/descry/v1/content_service_pb.ts";
import type { Digest } from "../../src/oci/digest.ts";
import {
  type ContentServer,
  manifestOf,
  pushManifest,
  refusal,
  startContentServer,
} from "../support/content-server.ts";

/** The contract: "Answers stay below 3 MiB". */
const ANSWER_BYTES = 3 * 1024 * 1024;
const TAGS = "descry.local/paging/tags";
const REFERRERS = "descry.local/paging/referrers";
const SUBJECT = `sha256:${"5".repeat(64)}`;

let server: ContentServer;
/** 10,000 tags of 128 bytes. */
const names = Array.from({ length: 10_000 }, (_, i) => `v${String(i).padStart(127, "0")}`);
/** Referrers whose annotations are hard to list: large, in another script, with a character JSON escapes, too large. */
const annotations = {
  large: "x".repeat(2 * 1024 * 1024),
  script: "\u5f71".repeat(650_000),
  escaped: "\u0001".repeat(350_000),
  tooLarge: "\u5f71".repeat(1_000_000),
};
const referrers = new Map<string, string>();

beforeAll(async () => {
  server = await startContentServer();
  const client = server.client();
  const digest = await pushManifest(client, TAGS, manifestOf("tags"));
  // By the store: ten thousand calls would tell nothing more.
  for (const name of names) await server.store.setTag("paging/tags", { name }, digest as Digest);
  for (const [name, note] of Object.entries(annotations)) {
    const bytes = manifestOf(name, {
      subject: { mediaType: "text/plain", digest: SUBJECT, size: 1 },
      annotations: { note },
    });
    expect(bytes.byteLength).toBeLessThan(4 * 1024 * 1024);
    referrers.set(await pushManifest(client, REFERRERS, bytes), note);
  }
}, 60_000);
afterAll(() => server.stop());

/** The answer as JSON, the longer of the two encodings; how long it is, and what it says. */
async function post(method: string, message: object): Promise<{ bytes: number; json: Record<string, unknown> }> {
  const answer = await fetch(`${server.http}/descry.v1.ContentService/${method}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(message),
  });
  expect(answer.status).toBe(200);
  const text = await answer.text();
  const json: Record<string, unknown> = JSON.parse(text);
  return { bytes: Buffer.byteLength(text), json };
}

/** All pages of a list. */
async function* pages<T extends { nextPageToken: string }>(ask: (pageToken: string) => Promise<T>): AsyncGenerator<T> {
  for (let token = ""; ;) {
    const page = await ask(token);
    yield page;
    token = page.nextPageToken;
    if (token === "") return;
  }
}

describe("ListTags", () => {
  test("ten thousand of the longest tags come in answers below 3 MiB, each once and in order", async () => {
    const { bytes, json } = await post("ListTags", { repository: TAGS, pageSize: 10_000 });
    expect(bytes).toBeLessThan(ANSWER_BYTES);
    expect(json["nextPageToken"]).not.toBe("");
    const seen: string[] = [];
    const client = server.client();
    for await (const { tags } of pages((pageToken) =>
      client.listTags({ repository: TAGS, pageSize: 20_000, pageToken }),
    ))
      seen.push(...tags.map(({ name }) => name));
    expect(seen).toEqual(names);
  });

  test.each([
    [0, 1000],
    [1, 1],
    [333, 333],
  ])("a page of %d has %d", async (pageSize, count) => {
    const { tags, nextPageToken } = await server.client().listTags({ repository: TAGS, pageSize });
    expect(tags.map(({ name }) => name)).toEqual(names.slice(0, count));
    expect(nextPageToken).not.toBe("");
  });

  test("a page that ends with the list has no next", async () => {
    const prefix = `v${"0".repeat(124)}01`;
    const page = await server.client().listTags({ repository: TAGS, prefix, pageSize: 10 });
    expect(page.tags.map(({ name }) => name)).toEqual(names.slice(10, 20));
    expect(page.nextPageToken).toBe("");
  });

  test("tags that stand for a digest are left out when asked", async () => {
    const client = server.client();
    const repository = "descry.local/paging/digest-tags";
    const digest = await pushManifest(client, repository, manifestOf("digest tags"));
    const hex = digest.slice("sha256:".length);
    for (const tag of ["v1", `sha256-${hex}`, `sha256-${hex}.sig`, "sha256-no"])
      await client.setTag({ ref: `${repository}:${tag}`, digest });
    const { tags } = await client.listTags({ repository, omitDigestTags: true });
    expect(tags.map(({ name }) => name)).toEqual(["sha256-no", "v1"]);
    expect(tags).toMatchObject([{ digest }, { digest }]);
    expect((await client.listTags({ repository })).tags).toHaveLength(4);
  });

  test("of no repository is REPOSITORY_UNKNOWN", async () => {
    expect(await refusal(server.client().listTags({ repository: "descry.local/nowhere" }))).toMatchObject({
      reason: "REPOSITORY_UNKNOWN",
    });
  });
});

describe("ListReferrers", () => {
  const ref = `${REFERRERS}@${SUBJECT}`;

  test("annotations of any size and script come in answers below 3 MiB; what fits none is left to the manifest", async () => {
    const seen = new Map<string, string>();
    for (let pageToken = ""; ;) {
      const { bytes, json } = await post("ListReferrers", { ref, pageToken, pageSize: 1000 });
      expect(bytes).toBeLessThan(ANSWER_BYTES);
      const page = json as { referrers: { digest: string; annotations?: { note: string } }[]; nextPageToken?: string };
      for (const referrer of page.referrers) seen.set(referrer.digest, referrer.annotations?.note ?? "left out");
      pageToken = page.nextPageToken ?? "";
      if (pageToken === "") break;
    }
    const told = [...referrers].map(([digest, note]) => [digest, note === annotations.tooLarge ? "left out" : note]);
    expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(told));
  });

  test("a gRPC client with its usual limit of 4 MiB takes every page", async () => {
    const transport = createGrpcTransport({ baseUrl: server.http, readMaxBytes: 4 * 1024 * 1024 });
    const content = createClient(ContentService, transport);
    const digests: string[] = [];
    for await (const page of pages((pageToken) => content.listReferrers({ ref, pageToken })))
      digests.push(...page.referrers.map(({ digest }) => digest));
    expect(digests).toEqual([...referrers.keys()].toSorted());
  });

  test("a hundred a page, a thousand at most", async () => {
    const repository = "descry.local/paging/many";
    const client = server.client();
    const subject = { mediaType: "text/plain", digest: SUBJECT, size: 1 };
    const digests = await Promise.all(
      Array.from({ length: 120 }, (_, i) => pushManifest(client, repository, manifestOf(`many ${i}`, { subject }))),
    );
    const many = { ref: `${repository}@${SUBJECT}` };
    const first = await client.listReferrers(many);
    expect(first.referrers).toHaveLength(100);
    const rest = await client.listReferrers({ ...many, pageToken: first.nextPageToken });
    expect(rest.nextPageToken).toBe("");
    const all = [...first.referrers, ...rest.referrers].map(({ digest }) => digest);
    expect(all).toEqual(digests.toSorted());
    for (const [pageSize, count] of [
      [120, 120],
      [119, 119],
      [5000, 120],
    ] as const) {
      const page = await client.listReferrers({ ...many, pageSize });
      expect(page.referrers).toHaveLength(count);
      expect(page.nextPageToken === "").toBe(count === 120);
    }
  });
});

describe("a page token", () => {
  test.each([
    ["of another repository", { repository: REFERRERS }],
    ["of another prefix", { repository: TAGS, prefix: "v" }],
    ["of another filter", { repository: TAGS, omitDigestTags: true }],
  ])("%s is refused", async (_, query) => {
    const client = server.client();
    const { nextPageToken: pageToken } = await client.listTags({ repository: TAGS, pageSize: 1 });
    const expected = { code: "invalid_argument", reason: "PAGE_TOKEN_INVALID", fields: ["page_token"] };
    expect(await refusal(client.listTags({ ...query, pageToken }))).toMatchObject(expected);
    // The size of a page may change on the way.
    expect((await client.listTags({ repository: TAGS, pageSize: 2, pageToken })).tags).toHaveLength(2);
  });

  test.each(["x", "AAAA", "!", Buffer.from(`${"0".repeat(16)}v1`).toString("base64url")])(
    "made up (%s) is refused",
    async (pageToken) => {
      const client = server.client();
      const expected = { reason: "PAGE_TOKEN_INVALID", fields: ["page_token"] };
      expect(await refusal(client.listTags({ repository: TAGS, pageToken }))).toMatchObject(expected);
      expect(await refusal(client.listReferrers({ ref: `${TAGS}@${SUBJECT}`, pageToken }))).toMatchObject(expected);
    },
  );

  test("of a list of tags opens no list of referrers", async () => {
    const client = server.client();
    const { nextPageToken: pageToken } = await client.listTags({ repository: TAGS, pageSize: 1 });
    expect(await refusal(client.listReferrers({ ref: `${TAGS}@${SUBJECT}`, pageToken }))).toMatchObject({
      reason: "PAGE_TOKEN_INVALID",
    });
  });
});
