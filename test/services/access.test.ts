import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Presence } from "../../src/gen/descry/v1/content_service_pb.ts";
import { Outcome } from "../../src/gen/descry/v1/types_pb.ts";
import { bytesOf } from "../support/bytes.ts";
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

/** Callers and their rights (design §6 A). A token is its caller's name. */
const callers = {
  admin: [{ verbs: ["pull", "push", "delete"], repositories: ["*"] }],
  reader: [{ verbs: ["pull"], repositories: ["descry.local/team/*"] }],
  writer: [
    { verbs: ["pull", "push"], repositories: ["descry.local/team/app"] },
    { verbs: ["push"], repositories: ["descry.local/drop"] },
  ],
  janitor: [{ verbs: ["delete"], repositories: ["descry.local/team/app"] }],
} as const;

const APP = "descry.local/team/app";
const DROP = "descry.local/drop";
const SECRET = "descry.local/secret";
const manifest = manifestOf("shared");
const desc = descriptorOf(manifest, INDEX);
const secret = bytesOf(1000, 3);
const secretDesc = descriptorOf(secret);

let server: ContentServer;
beforeAll(async () => {
  server = await startContentServer({ callers });
  const admin = server.client("admin");
  for (const repository of [APP, DROP, SECRET]) await pushManifest(admin, `${repository}:v1`, manifest);
  await admin.push({ ref: SECRET, desc: secretDesc, data: secret });
});
afterAll(() => server.stop());

type Client = ReturnType<ContentServer["client"]>;
const drained = async (messages: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of messages);
};

/** A call of each method to a repository; all of them succeed for somebody who may make them. */
const calls: Readonly<Record<string, (client: Client, repository: string) => Promise<unknown>>> = {
  resolve: (client, repository) => client.resolve({ ref: `${repository}:v1` }),
  fetch: (client, repository) => client.fetch({ ref: repository, digest: desc.digest }),
  fetchStream: (client, repository) => drained(client.fetchStream({ ref: repository, digest: desc.digest })),
  preparePush: (client, repository) => client.preparePush({ repository, descs: [desc] }),
  push: (client, repository) => client.push({ ref: `${repository}:v1`, desc, data: manifest }),
  pushStream: (client, repository) => client.pushStream(pushMessages({ ref: repository, desc }, [manifest])),
  copyTo: (client, repository) => drained(client.copy({ sourceRef: `${APP}:v1`, targetRef: `${repository}:v1` })),
  copyFrom: (client, repository) => drained(client.copy({ sourceRef: `${repository}:v1`, targetRef: `${APP}:v1` })),
  setTag: (client, repository) => client.setTag({ ref: `${repository}:v1`, digest: desc.digest }),
  listTags: (client, repository) => client.listTags({ repository }),
  listReferrers: (client, repository) => client.listReferrers({ ref: `${repository}@${desc.digest}` }),
  delete: (client, repository) => client.delete({ ref: `${repository}:gone`, allowMissing: true, validateOnly: true }),
};
const reads = ["resolve", "fetch", "fetchStream", "listTags", "listReferrers"];
const writes = ["preparePush", "push", "pushStream", "setTag"];

/** What each caller may call, by repository. Everything else is refused. */
const allowed: Readonly<Record<keyof typeof callers, Readonly<Record<string, readonly string[]>>>> = {
  admin: {
    [APP]: Object.keys(calls),
    [DROP]: Object.keys(calls),
    [SECRET]: Object.keys(calls),
  },
  reader: { [APP]: reads, [DROP]: [], [SECRET]: [] },
  writer: { [APP]: [...reads, ...writes, "copyTo", "copyFrom"], [DROP]: [...writes, "copyTo"], [SECRET]: [] },
  janitor: { [APP]: ["delete"], [DROP]: [], [SECRET]: [] },
};

describe.each(["admin", "reader", "writer", "janitor"] as const)("%s", (name) => {
  test.each([APP, DROP, SECRET])("at %s", async (repository) => {
    const outcomes: Record<string, string> = {};
    for (const [method, call] of Object.entries(calls))
      outcomes[method] = await call(server.client(name), repository).then(
        () => "allowed",
        async (error: unknown) => (await refusal(Promise.reject(error))).reason ?? "",
      );
    const expected = Object.keys(calls).map((method) => {
      return [method, allowed[name][repository]?.includes(method) ? "allowed" : "CALLER_DENIED"];
    });
    expect(outcomes).toEqual(Object.fromEntries(expected));
  });
});

test.each([undefined, "stranger"])("without a known token (%s) nothing is done and nothing told", async (token) => {
  for (const call of Object.values(calls))
    expect(await refusal(call(server.client(token), APP))).toMatchObject({
      code: "unauthenticated",
      reason: "CALLER_UNAUTHENTICATED",
    });
});

describe("what a caller may not read is as if it were not there", () => {
  test("a refusal is the same for what is there and for what is not", async () => {
    const reader = server.client("reader");
    const [there, absent] = [SECRET, "descry.local/secret2"];
    for (const call of [calls["resolve"], calls["fetch"], calls["listTags"], calls["listReferrers"]]) {
      const known = await refusal(call?.(reader, there) ?? Promise.resolve());
      const unknown = await refusal(call?.(reader, absent) ?? Promise.resolve());
      expect({ ...unknown, metadata: { ...unknown.metadata, ref: there } }).toEqual(known);
    }
  });

  test("content of another repository is not found by its digest", async () => {
    const writer = server.client("writer");
    const ref = { ref: APP, digest: secretDesc.digest };
    expect(await refusal(writer.fetch(ref))).toMatchObject({ reason: "CONTENT_UNKNOWN" });
    const { states } = await writer.preparePush({ repository: APP, descs: [secretDesc] });
    expect(states).toMatchObject([{ presence: Presence.MISSING, offset: 0n }]);
  });

  test("is passed over as a source of mounts, and mounted for who may read it", async () => {
    const request = { repository: DROP, descs: [secretDesc], mountFrom: [SECRET, APP] };
    const mine = await server.client("writer").preparePush(request);
    expect(mine.states).toMatchObject([{ presence: Presence.MISSING }]);
    const absent = await server.client("writer").preparePush({ ...request, mountFrom: ["descry.local/none"] });
    expect(absent.states).toEqual(mine.states);
    const theirs = await server.client("admin").preparePush({ ...request, repository: "descry.local/elsewhere" });
    expect(theirs.states).toMatchObject([{ presence: Presence.MOUNTED }]);
  });

  test("is no reason for an early answer: the bytes have to be sent, and have to be right", async () => {
    const writer = server.client("writer");
    expect(await refusal(writer.push({ ref: DROP, desc: secretDesc, data: bytesOf(1000, 4) }))).toMatchObject({
      reason: "DIGEST_MISMATCH",
    });
    const { receipt } = await writer.push({ ref: DROP, desc: secretDesc, data: secret });
    expect(receipt?.outcome).toBe(Outcome.CREATED);
  });

  test("a copy says which side was refused, the target's first", async () => {
    const copy = (sourceRef: string, targetRef: string) =>
      refusal(drained(server.client("writer").copy({ sourceRef, targetRef })));
    expect(await copy(`${SECRET}:v1`, `${APP}:v2`)).toMatchObject({ metadata: { side: "source", ref: SECRET } });
    expect(await copy(`${SECRET}:none`, `${SECRET}:v2`)).toMatchObject({ metadata: { ref: SECRET } });
    expect(await copy(`${APP}:none`, `${SECRET}:v2`)).toMatchObject({ reason: "CALLER_DENIED" });
  });
});

test("an interrupted upload is its caller's alone", async () => {
  const blob = bytesOf(100_000, 9);
  const cut = pushMessages({ ref: APP, desc: descriptorOf(blob) }, [blob.subarray(0, 60_000)]);
  expect(await refusal(server.client("writer").pushStream(cut))).toMatchObject({ reason: "SIZE_MISMATCH" });
  const offset = async (token: string, repository = APP) => {
    const { states } = await server.client(token).preparePush({ repository, descs: [descriptorOf(blob)] });
    return states[0]?.offset;
  };
  expect([await offset("writer"), await offset("admin"), await offset("writer", DROP)]).toEqual([60_000n, 0n, 0n]);
  const wrong = { ref: APP, desc: descriptorOf(blob), offset: 60_000n };
  expect(await refusal(server.client("admin").pushStream(pushMessages(wrong, [blob.subarray(60_000)])))).toMatchObject({
    code: "aborted",
    reason: "OFFSET_MISMATCH",
    metadata: { offset: "0" },
  });
});

describe("HTTP caches", () => {
  const get = async (base: string, method: string, message: object, headers: Record<string, string> = {}) => {
    const query = new URLSearchParams({ connect: "v1", encoding: "json", message: JSON.stringify(message) });
    return await fetch(`${base}/descry.v1.ContentService/${method}?${query.toString()}`, { headers });
  };
  const authorization = { Authorization: "Bearer reader" };
  const byDigest = { ref: `${APP}@${desc.digest}` };
  const byTag = { ref: `${APP}:v1` };
  const IMMUTABLE = "max-age=31536000, immutable";
  const REVALIDATE = "max-age=0, must-revalidate";

  test.each([
    ["Resolve", byDigest, IMMUTABLE],
    ["Resolve", byTag, REVALIDATE],
    ["Fetch", byDigest, IMMUTABLE],
    ["Fetch", { ...byTag, digest: desc.digest }, IMMUTABLE],
    ["Fetch", byTag, REVALIDATE],
  ])("%s of %j for a named caller is private, and has the digest as its tag", async (method, message, control) => {
    const { status, headers } = await get(server.http, method, message, authorization);
    expect(status).toBe(200);
    expect(headers.get("Cache-Control")).toBe(`private, ${control}`);
    expect(headers.get("ETag")).toBe(`W/"${desc.digest}"`);
    expect(headers.get("Vary")).toContain("Authorization");
    const again = await get(server.http, method, message, { ...authorization, "If-None-Match": `W/"${desc.digest}"` });
    expect(again.status).toBe(304);
    expect(again.headers.get("Cache-Control")).toBe(`private, ${control}`);
  });

  test.each([
    ["ListTags", { repository: APP }],
    ["ListReferrers", byDigest],
  ])("%s is asked for each time", async (method, message) => {
    const { headers } = await get(server.http, method, message, authorization);
    expect(headers.get("Cache-Control")).toBe(`private, ${REVALIDATE}`);
    expect(headers.get("ETag")).toBeNull();
  });

  test("a refusal is never kept, and a known tag opens no door", async () => {
    const known = await get(server.http, "Resolve", byTag, { "If-None-Match": `W/"${desc.digest}"` });
    expect(known.status).toBe(401);
    expect(known.headers.get("WWW-Authenticate")).toBe('Bearer realm="descry"');
    const denied = await get(
      server.http,
      "Resolve",
      { ref: `${SECRET}:v1` },
      { ...authorization, "If-None-Match": "*" },
    );
    expect(denied.status).toBe(403);
    expect(denied.headers.get("ETag")).toBeNull();
    expect(denied.headers.get("Cache-Control") ?? "").not.toContain("max-age=3");
  });

  test("what anybody may read may be kept by shared caches, unless credentials came with the call", async () => {
    const open = await startContentServer();
    try {
      await pushManifest(open.client(), `${APP}:v1`, manifest);
      expect((await get(open.http, "Resolve", byDigest)).headers.get("Cache-Control")).toBe(IMMUTABLE);
      expect((await get(open.http, "Resolve", byTag)).headers.get("Cache-Control")).toBe(REVALIDATE);
      for (const header of ["X-Registry-Auth", "X-Registry-Config"])
        expect((await get(open.http, "Resolve", byTag, { [header]: "e30" })).headers.get("Cache-Control")).toBe(
          `private, ${REVALIDATE}`,
        );
    } finally {
      await open.stop();
    }
  });
});
