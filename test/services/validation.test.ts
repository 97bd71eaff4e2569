import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ContentService,
  type CopyRequestSchema,
  type DeleteRequestSchema,
  type FetchRequestSchema,
  type ListReferrersRequestSchema,
  type ListTagsRequestSchema,
  type PreparePushRequestSchema,
  type PushHeaderSchema,
  type PushRequestSchema,
  type ResolveRequestSchema,
  type SetTagRequestSchema,
} from "../../src/gen/descry/v1/content_service_pb.ts";
import type { ContentKind } from "../../src/gen/descry/v1/types_pb.ts";
import { type ContentServer, refusal, startContentServer } from "../support/content-server.ts";

let server: ContentServer;
beforeAll(async () => {
  server = await startContentServer();
});
afterAll(() => server.stop());

const REF = "descry.local/a";
const TAGGED = `${REF}:v1`;
const DIGEST = `sha256:${"a".repeat(64)}`;
const OTHER = `sha256:${"b".repeat(64)}`;
const long = (length: number): string => "a".repeat(length);
const times = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);
const NEGATIVE = { seconds: -1n, nanos: 0 };
const ALMOST_ZERO = { seconds: 0n, nanos: -1 };
/** No value of the enum: what a newer client might send. */
const UNDEFINED_KIND = 9 as ContentKind;

interface Descriptor {
  readonly mediaType?: string;
  readonly digest?: string;
  readonly size?: bigint;
  readonly artifactType?: string;
  readonly urls?: string[];
  readonly platform?: {
    os?: string;
    architecture?: string;
    variant?: string;
    osVersion?: string;
    osFeatures?: string[];
  };
}
const desc: Descriptor = { mediaType: "text/plain", digest: DIGEST, size: 5n };
const manifest: Descriptor = { ...desc, mediaType: "application/vnd.oci.image.index.v1+json" };

/** What is wrong with a descriptor, wherever one is read (types.proto). */
const descriptors: readonly (readonly [Descriptor, string])[] = [
  [{ ...desc, mediaType: `a/${long(254)}` }, "media_type"],
  [{ ...desc, mediaType: "text" }, "media_type"],
  [{ ...desc, digest: "" }, "digest"],
  [{ ...desc, digest: "abc" }, "digest"],
  [{ ...desc, digest: `sha256:${long(63)}` }, "digest"],
  [{ ...desc, digest: `other:${long(251)}` }, "digest"],
  [{ ...desc, size: -1n }, "size"],
  [{ ...desc, size: 2n ** 53n }, "size"],
  [{ ...desc, artifactType: long(256) }, "artifact_type"],
  [{ ...desc, urls: times(17, "https://a.example") }, "urls"],
  [{ ...desc, platform: { os: long(65) } }, "platform.os"],
  [{ ...desc, platform: { architecture: long(65) } }, "platform.architecture"],
  [{ ...desc, platform: { variant: long(65) } }, "platform.variant"],
  [{ ...desc, platform: { osVersion: long(65) } }, "platform.os_version"],
  [{ ...desc, platform: { osFeatures: times(33, "win32k") } }, "platform.os_features"],
];

/** References that are none, and those that name no repository. */
const badRefs = ["", long(1025), "descry.local/A", `${REF}:-`, `${REF}@sha256:0`, "descry.local:80/a", `${REF}/\u00e9`];
const badRepositories = ["", `descry.local/${long(499)}`, TAGGED, `${REF}@${DIGEST}`];

/** A message as a plain object. */
type Init<Desc extends DescMessage> = Exclude<MessageInitShape<Desc>, Message>;
type Cases<T> = readonly (readonly [request: T, ...fields: string[]])[];

function withRefs<T>(field: string, refs: readonly string[], request: (ref: string) => T): Cases<T> {
  return refs.map((ref) => [request(ref), field] as const);
}

/** The limits of FetchRequest that FetchStreamRequest shares. */
const fetches: Cases<Init<typeof FetchRequestSchema>> = [
  ...withRefs("ref", badRefs, (ref) => ({ ref })),
  [{ ref: REF, digest: `other:${long(251)}` }, "digest"],
  [{ ref: REF, digest: "sha512:00" }, "digest"],
  [{ ref: REF, mediaType: `a/${long(254)}` }, "media_type"],
  [{ ref: REF, digest: DIGEST, offset: -1n }, "offset"],
  [{ ref: REF, digest: DIGEST, length: -1n }, "length"],
  [{ ref: REF, offset: 1n, length: 1n }, "offset", "length"],
  [{ ref: TAGGED, offset: 1n }, "offset"],
  [{ ref: REF, maxAge: NEGATIVE }, "max_age"],
  [{ ref: REF, pinId: long(72) }, "pin_id"],
  [{ ref: REF, urls: times(17, "https://a.example") }, "urls"],
];

/** The limits of PushRequest that PushHeader shares. */
const pushes: Cases<Init<typeof PushHeaderSchema>> = [
  ...withRefs("ref", badRefs, (ref) => ({ ref, desc })),
  ...descriptors.map(([wrong, field]) => [{ ref: REF, desc: wrong }, `desc.${field}`] as const),
  [{ ref: REF }, "desc"],
  [{ ref: `${TAGGED}@${DIGEST}`, desc: manifest }, "ref"],
  [{ ref: `${REF}@${OTHER}`, desc }, "ref"],
  [{ ref: TAGGED, desc }, "ref"],
  [{ ref: REF, desc: { ...desc, mediaType: "" }, kind: 1 }, "desc.media_type"],
  [{ ref: REF, desc, kind: UNDEFINED_KIND }, "kind"],
  [{ ref: REF, desc: manifest, ifCurrent: { absent: true } }, "if_current"],
  [{ ref: TAGGED, desc: manifest, ifCurrent: {} }, "if_current"],
  [{ ref: TAGGED, desc: manifest, ifCurrent: { absent: true, digest: DIGEST } }, "if_current"],
  [{ ref: TAGGED, desc: manifest, ifCurrent: { digest: `other:${long(251)}` } }, "if_current.digest"],
  [
    { ref: "", desc: { ...desc, size: -1n, digest: "" }, kind: UNDEFINED_KIND, ifCurrent: {} },
    "ref",
    "desc.digest",
    "desc.size",
    "kind",
    "if_current",
  ],
];

const table: {
  readonly resolve: Cases<Init<typeof ResolveRequestSchema>>;
  readonly fetch: Cases<Init<typeof FetchRequestSchema>>;
  readonly preparePush: Cases<Init<typeof PreparePushRequestSchema>>;
  readonly push: Cases<Init<typeof PushRequestSchema>>;
  readonly setTag: Cases<Init<typeof SetTagRequestSchema>>;
  readonly listTags: Cases<Init<typeof ListTagsRequestSchema>>;
  readonly listReferrers: Cases<Init<typeof ListReferrersRequestSchema>>;
  readonly delete: Cases<Init<typeof DeleteRequestSchema>>;
} = {
  resolve: [
    ...withRefs("ref", badRefs, (ref) => ({ ref })),
    [{ ref: REF, maxAge: NEGATIVE }, "max_age"],
    [{ ref: REF, maxAge: ALMOST_ZERO }, "max_age"],
    [{ ref: REF, pinId: long(72) }, "pin_id"],
    [{ ref: "", maxAge: NEGATIVE, pinId: long(72) }, "ref", "max_age", "pin_id"],
  ],
  fetch: [...fetches, [{ ref: REF, digest: DIGEST, length: 4194305n }, "length"]],
  preparePush: [
    ...withRefs("repository", badRepositories, (repository) => ({ repository, descs: [desc] })),
    ...descriptors.map(([wrong, field]): [Init<typeof PreparePushRequestSchema>, string] => [
      { repository: REF, descs: [desc, wrong] },
      `descs[1].${field}`,
    ]),
    [{ repository: REF }, "descs"],
    [{ repository: REF, descs: times(257, desc) }, "descs"],
    [{ repository: REF, descs: [desc], mountFrom: times(9, REF) }, "mount_from"],
    [{ repository: REF, descs: [desc], mountFrom: [REF, TAGGED] }, "mount_from[1]"],
    [{ repository: REF, descs: [desc], mountFrom: ["registry.example/a"] }, "mount_from[0]"],
    [{ repository: TAGGED, descs: [desc, desc, desc, { ...desc, size: -1n }] }, "repository", "descs[3].size"],
  ],
  push: pushes,
  setTag: [
    ...withRefs("ref", [...badRefs, REF, `${TAGGED}@${DIGEST}`], (ref) => ({ ref, digest: DIGEST })),
    [{ ref: TAGGED }, "digest"],
    [{ ref: TAGGED, digest: `other:${long(251)}` }, "digest"],
    [{ ref: TAGGED, digest: DIGEST, ifCurrent: {} }, "if_current"],
    [{ ref: "", ifCurrent: {} }, "ref", "digest", "if_current"],
  ],
  listTags: [
    ...withRefs("repository", badRepositories, (repository) => ({ repository })),
    [{ repository: REF, pageSize: -1 }, "page_size"],
    [{ repository: REF, pageToken: long(2049) }, "page_token"],
    [{ repository: REF, prefix: long(129) }, "prefix"],
    [{ repository: REF, prefix: "-" }, "prefix"],
    [{ repository: REF, maxAge: NEGATIVE }, "max_age"],
    [{ repository: "", pageSize: -1, prefix: "/" }, "repository", "page_size", "prefix"],
  ],
  listReferrers: [
    ...withRefs("ref", badRefs, (ref) => ({ ref })),
    [{ ref: REF, artifactTypes: times(17, "a/b") }, "artifact_types"],
    [{ ref: REF, artifactTypes: ["a/b", ""] }, "artifact_types[1]"],
    [{ ref: REF, artifactTypes: [long(256)] }, "artifact_types[0]"],
    [{ ref: REF, pageSize: -1 }, "page_size"],
    [{ ref: REF, pageToken: long(2049) }, "page_token"],
    [{ ref: REF, maxAge: NEGATIVE }, "max_age"],
  ],
  delete: [
    ...withRefs("ref", [...badRefs, REF, `${TAGGED}@${DIGEST}`], (ref) => ({ ref })),
    [{ ref: `${REF}@${DIGEST}`, kind: UNDEFINED_KIND }, "kind"],
    [{ ref: `${REF}@${DIGEST}`, ifCurrent: { digest: DIGEST } }, "if_current"],
    [{ ref: TAGGED, ifCurrent: {} }, "if_current"],
    [{ ref: "", kind: UNDEFINED_KIND }, "ref", "kind"],
  ],
};

const copies: Cases<Init<typeof CopyRequestSchema>> = [
  ...withRefs("source_ref", badRefs, (sourceRef) => ({ sourceRef, targetRef: TAGGED })),
  ...withRefs("target_ref", badRefs, (targetRef) => ({ sourceRef: TAGGED, targetRef })),
  ...descriptors.map(
    ([wrong, field]) => [{ sourceRef: REF, targetRef: "descry.local/b", desc: wrong }, `desc.${field}`] as const,
  ),
  [{ sourceRef: REF, targetRef: TAGGED, desc }, "target_ref"],
  [{ sourceRef: REF, targetRef: `${TAGGED}@${DIGEST}`, desc: manifest }, "target_ref"],
  [{ sourceRef: REF, targetRef: `${REF}@${OTHER}`, desc }, "target_ref"],
  [{ sourceRef: REF, targetRef: TAGGED, kind: UNDEFINED_KIND }, "kind"],
  [{ sourceRef: REF, targetRef: TAGGED, ifCurrent: {} }, "if_current"],
  [{ sourceRef: REF, targetRef: REF, ifCurrent: { absent: true } }, "if_current"],
  [{ sourceRef: REF, targetRef: REF, pinId: long(72) }, "pin_id"],
  [{ pinId: long(72) }, "source_ref", "target_ref", "pin_id"],
];

/** Checks each case; all of one method at once, since each is one short call. */
async function check<T>(cases: Cases<T>, call: (request: T) => Promise<unknown>, prefix = ""): Promise<void> {
  const found = await Promise.all(cases.map(async ([request]) => await refusal(call(request))));
  for (const [at, [request, ...fields]] of cases.entries())
    expect({ request, ...found[at], metadata: undefined }).toMatchObject({
      request,
      code: "invalid_argument",
      reason: "FIELD_INVALID",
      fields: fields.map((field) => prefix + field),
    });
}

async function drained(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}

describe("every limit of the contract is kept, and all that break one are told at once", () => {
  const client = () => server.client();
  test("Resolve", () => check(table.resolve, (request) => client().resolve(request)));
  test("Fetch", () => check(table.fetch, (request) => client().fetch(request)));
  test("FetchStream", () => check(fetches, (request) => drained(client().fetchStream(request))));
  test("PreparePush", () => check(table.preparePush, (request) => client().preparePush(request)));
  test("Push", () => check(table.push, (request) => client().push(request)));
  test("PushStream", () =>
    check(
      [...pushes, [{ ref: REF, desc, offset: -1n }, "offset"]],
      (value) =>
        client().pushStream(
          (async function* () {
            yield { part: { case: "header" as const, value } };
          })(),
        ),
      "header.",
    ));
  test("Copy", () => check(copies, (request) => drained(client().copy(request))));
  test("SetTag", () => check(table.setTag, (request) => client().setTag(request)));
  test("ListTags", () => check(table.listTags, (request) => client().listTags(request)));
  test("ListReferrers", () => check(table.listReferrers, (request) => client().listReferrers(request)));
  test("Delete", () => check(table.delete, (request) => client().delete(request)));
});

describe("the messages of PushStream", () => {
  type PushMessage =
    Parameters<ReturnType<ContentServer["client"]>["pushStream"]>[0] extends AsyncIterable<infer M> ? M : never;
  const header: PushMessage = { part: { case: "header", value: { ref: REF, desc: { ...desc, size: 5_000_000n } } } };
  const data = (bytes: number): PushMessage => ({ part: { case: "data", value: new Uint8Array(bytes) } });
  test.each<[string, PushMessage[], string]>([
    ["nothing", [], "header"],
    ["data first", [data(1), header], "header"],
    ["two headers", [header, header], "header"],
    ["a message above 4 MiB", [header, data(4194305)], "data"],
  ])("%s", async (_, messages, field) => {
    const sent = (async function* () {
      yield* messages;
    })();
    expect(await refusal(server.client().pushStream(sent))).toMatchObject({ reason: "FIELD_INVALID", fields: [field] });
  });
});

test("what is at a limit is no violation", async () => {
  const client = server.client();
  // The longest repository: a host of 12 bytes, a slash and 255 bytes of path.
  const repository = `descry.local/${long(255)}`;
  const { states } = await client.preparePush({
    repository,
    descs: times(256, { ...desc, size: 2n ** 53n - 1n, mediaType: `${long(127)}/${long(127)}` }),
    mountFrom: times(8, REF),
  });
  expect(states).toHaveLength(256);
  const other = `other:${long(250)}`;
  expect(await refusal(client.fetch({ ref: REF, digest: other, length: 4194304n }))).toMatchObject({
    code: "not_found",
  });
  const none = { ref: `${repository}:${long(128)}@${DIGEST}`, maxAge: { seconds: 0n, nanos: 0 } };
  expect(await refusal(client.resolve(none))).toMatchObject({ code: "not_found" });
  const referrers = { ref: `${REF}@${DIGEST}`, artifactTypes: times(16, long(255)), pageSize: 2 ** 31 - 1 };
  expect((await client.listReferrers(referrers)).referrers).toEqual([]);
});

test("an image ID is no reference, and is told what to do", async () => {
  for (const ref of [DIGEST, "a".repeat(64)])
    expect(await refusal(server.client().resolve({ ref }))).toEqual({
      code: "invalid_argument",
      reason: "NOT_A_REFERENCE",
      fields: ["ref"],
      metadata: { op: "Resolve", use: "repository@digest" },
    });
});

test("what this server does not do is refused, never ignored", async () => {
  const client = server.client();
  const unsupported = (field: string) => ({ code: "unimplemented", reason: "UNSUPPORTED", metadata: { field } });
  const pinId = DIGEST;
  expect(await refusal(client.resolve({ ref: REF, pinId }))).toMatchObject(unsupported("pin_id"));
  expect(await refusal(client.fetch({ ref: REF, pinId }))).toMatchObject(unsupported("pin_id"));
  expect(await refusal(drained(client.copy({ sourceRef: REF, targetRef: REF, pinId })))).toMatchObject(
    unsupported("pin_id"),
  );
  expect(await refusal(client.resolve({ ref: "registry.example/a:b" }))).toMatchObject({
    code: "unimplemented",
    reason: "REGISTRY_UNSUPPORTED",
    metadata: { ref: "registry.example/a:b" },
  });
});

test("JSON is strict: a misspelt field is refused, OCI's own descriptors are not", async () => {
  const call = (method: string, body: object): Promise<Response> =>
    fetch(`${server.http}/descry.v1.ContentService/${method}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  const misspelt = await call("Resolve", { ref: REF, maxage: "1s" });
  expect(misspelt.status).toBe(400);
  expect(await misspelt.text()).toContain("maxage");
  // As it stands in an index (image-spec 1.1): sizes are numbers.
  const entry = {
    mediaType: "text/plain",
    digest: DIGEST,
    size: 5,
    platform: { os: "windows", architecture: "amd64", "os.version": "10.0.1" },
  };
  const prepared = await call("PreparePush", { repository: REF, descs: [entry] });
  expect(prepared.status).toBe(200);
  expect(await prepared.json()).toMatchObject({ states: [{ digest: DIGEST, presence: "PRESENCE_MISSING" }] });
});

test("no method is forgotten here", () => {
  expect([...Object.keys(table), "copy", "fetchStream", "pushStream"].toSorted()).toEqual(
    Object.keys(ContentService.method).toSorted(),
  );
});
