import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exitCodeOf } from "../../src/cli/exit.ts";
import { Outcome } from "../../src/gen/descry/v1/types_pb.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { createDescry } from "../../src/sdk/index.ts";
import { type FileSystem, nodeFileSystem } from "../../src/store/disk/file-system.ts";
import { bytesOf } from "../support/bytes.ts";
import { runOnTerminal } from "../support/cli.ts";
import { type WireClient, wires } from "../support/clients.ts";
import {
  type ContentServer,
  descriptorOf,
  INDEX,
  json,
  MANIFEST,
  pushMessages,
  refusal,
  startContentServer,
} from "../support/content-server.ts";

const ZEROS = `sha256:${"0".repeat(64)}`;
const five = new TextEncoder().encode("12345");
const fiveDesc = descriptorOf(five);

let full = false;
/** A disk that is full when told so. */
const disk: FileSystem = {
  ...nodeFileSystem,
  create: async (path) => {
    const file = await nodeFileSystem.create(path);
    return {
      ...file,
      write: async (bytes) => {
        if (full) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
        await file.write(bytes);
      },
    };
  },
};

let server: ContentServer;
let clients: Readonly<Record<string, WireClient>>;
let directory: string;
beforeAll(async () => {
  server = await startContentServer({ fileSystem: disk });
  directory = await mkdtemp(join(tmpdir(), "descry-refused-"));
  const grpc = wires.find(({ protocol, http }) => protocol === "grpc" && http === "2.0")?.open(server);
  const connect = wires.find(({ name }) => name === "connect JSON over HTTP/1.1 at http")?.open(server);
  if (grpc === undefined || connect === undefined) throw new Error("no such wire");
  clients = { "Connect JSON": connect, gRPC: grpc };
});
afterAll(async () => {
  for (const client of Object.values(clients)) client.close();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

/** One thing that can be wrong with content, and what all that use descry are told. */
interface Case {
  readonly name: string;
  readonly ref: string;
  readonly mediaType?: string;
  readonly data: Uint8Array;
  /** What is claimed; default: the truth. */
  readonly digest?: string;
  readonly size?: bigint;
  readonly full?: true;
  readonly code: string;
  readonly reason: string;
  readonly fields: readonly string[];
  /** As PushStream has them. */
  readonly streamFields?: readonly string[];
  /** Exit code (design §4). */
  readonly exit: number;
  /** The command line measures files itself, and cannot make this mistake. */
  readonly cli?: false;
}

const child = { mediaType: "application/vnd.oci.image.config.v1+json", digest: ZEROS, size: 2 };
const orphan = json({ schemaVersion: 2, mediaType: MANIFEST, config: child, layers: [] });
const oversized = new Uint8Array(4 * 1024 * 1024 + 1).fill(0x20);

const cases: readonly Case[] = [
  {
    name: "wrong digest",
    ref: `descry.local/wrong/digest@${ZEROS}`,
    data: five,
    digest: ZEROS,
    code: "invalid_argument",
    reason: "DIGEST_MISMATCH",
    fields: ["desc.digest"],
    streamFields: ["header.desc.digest"],
    exit: 7,
  },
  {
    name: "wrong digest of a manifest, even one that is no manifest",
    ref: `descry.local/wrong/manifest@${ZEROS}`,
    mediaType: INDEX,
    data: five,
    digest: ZEROS,
    code: "invalid_argument",
    reason: "DIGEST_MISMATCH",
    fields: ["desc.digest"],
    streamFields: ["header.desc.digest"],
    exit: 7,
  },
  {
    name: "size too large",
    ref: "descry.local/wrong/size",
    data: five,
    size: 6n,
    code: "invalid_argument",
    reason: "SIZE_MISMATCH",
    fields: ["data"],
    streamFields: ["header.desc.size"],
    exit: 7,
    cli: false,
  },
  {
    name: "size too small",
    ref: "descry.local/wrong/size",
    data: five,
    size: 4n,
    code: "invalid_argument",
    reason: "SIZE_MISMATCH",
    fields: ["data"],
    streamFields: ["header.desc.size"],
    exit: 7,
    cli: false,
  },
  {
    name: "unknown algorithm",
    ref: `descry.local/wrong/algorithm@sha384:${"0".repeat(96)}`,
    data: five,
    digest: `sha384:${"0".repeat(96)}`,
    code: "invalid_argument",
    reason: "DIGEST_UNSUPPORTED",
    fields: ["desc.digest"],
    streamFields: ["header.desc.digest"],
    exit: 2,
  },
  {
    name: "oversized manifest",
    ref: "descry.local/wrong/oversized",
    mediaType: INDEX,
    data: oversized,
    code: "failed_precondition",
    reason: "CONTENT_TOO_LARGE",
    fields: [],
    exit: 1,
  },
  {
    name: "bad reference",
    ref: "descry.local/Wrong",
    data: five,
    code: "invalid_argument",
    reason: "FIELD_INVALID",
    fields: ["ref"],
    streamFields: ["header.ref"],
    exit: 2,
  },
  {
    name: "missing child",
    ref: "descry.local/wrong/orphan:v1",
    mediaType: MANIFEST,
    data: orphan,
    code: "failed_precondition",
    reason: "CHILD_MISSING",
    fields: [],
    exit: 1,
  },
  {
    name: "no manifest",
    ref: "descry.local/wrong/shape",
    mediaType: MANIFEST,
    data: five,
    code: "invalid_argument",
    reason: "MANIFEST_INVALID",
    fields: ["data"],
    exit: 1,
  },
  {
    name: "full disk",
    ref: "descry.local/wrong/full",
    data: five,
    full: true,
    code: "resource_exhausted",
    reason: "STORAGE_FULL",
    fields: [],
    exit: 1,
  },
];

describe.each(cases)("$name", (it) => {
  const { ref, data, code, reason, fields, streamFields = fields, exit } = it;
  const truth = descriptorOf(data, it.mediaType);
  const desc = { ...truth, digest: it.digest ?? truth.digest, size: it.size ?? truth.size };

  /** Runs with the disk as the case wants it, and looks that nothing came of it. */
  const trying = async <T>(work: () => Promise<T>): Promise<T> => {
    full = it.full === true;
    try {
      return await work();
    } finally {
      full = false;
      const { uploadBytes, uploads } = await server.store.usage();
      // A stream that ended early may be resumed: that is all that may be left.
      if (reason !== "SIZE_MISMATCH") expect({ uploads, uploadBytes }).toEqual({ uploads: 0, uploadBytes: 0 });
      const { contentBytes, repositories } = await server.store.usage();
      expect({ contentBytes, repositories }).toEqual({ contentBytes: 0, repositories: 0 });
    }
  };

  test.each(["Connect JSON", "gRPC"])("over %s", async (wire) => {
    const content = clients[wire]?.content;
    if (content === undefined) throw new Error(`no ${wire}`);
    const once = await trying(() => refusal(content.push({ ref, desc, data })));
    expect(once).toMatchObject({ code, reason, fields, metadata: { op: "Push" } });
    const chunks = data.byteLength > 100 ? [data.subarray(0, 100), data.subarray(100)] : [data];
    const streamed = await trying(() => refusal(content.pushStream(pushMessages({ ref, desc }, chunks))));
    expect(streamed).toMatchObject({ code, reason, fields: streamFields, metadata: { op: "PushStream" } });
  });

  if (it.cli === false) return;
  test("on the command line", async () => {
    const path = join(directory, "content");
    await writeFile(path, data);
    const flags = it.mediaType === undefined ? [] : ["--media-type", it.mediaType];
    const outcome = await trying(() => runOnTerminal(["push", ref, path, "--server", server.http, ...flags]));
    expect(outcome).toMatchObject({ code: exit, stdout: "" });
  });
});

test("a size that the SDK is told wrongly, exit code included", async () => {
  const descry = createDescry({ baseUrl: server.http });
  const descriptor = { ...fiveDesc, digest: fiveDesc.digest as Digest, size: 6 };
  const chunks = (async function* () {
    yield five;
  })();
  const error: unknown = await descry.push("descry.local/wrong/size", chunks, { descriptor }).catch((e: unknown) => e);
  expect(error).toMatchObject({ reason: "SIZE_MISMATCH" });
  expect(exitCodeOf(error)).toBe(7);
  descry.close();
});

test("reads go on when the disk is full, and so do pushes of what is there", async () => {
  const client = server.client();
  const ref = "descry.local/fine";
  await client.push({ ref, desc: fiveDesc, data: five });
  full = true;
  try {
    expect(Buffer.compare((await client.fetch({ ref, digest: fiveDesc.digest })).data, five)).toBe(0);
    const again = await client.push({ ref, desc: fiveDesc, data: five });
    expect(again.receipt?.outcome).toBe(Outcome.EXISTED);
    const other = bytesOf(100);
    expect(await refusal(client.push({ ref, desc: descriptorOf(other), data: other }))).toMatchObject({
      reason: "STORAGE_FULL",
      metadata: { side: "store" },
    });
  } finally {
    full = false;
  }
});
