import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Presence } from "../../src/gen/descry/v1/content_service_pb.ts";
import { Outcome } from "../../src/gen/descry/v1/types_pb.ts";
import { createNodeDescry, fetchToFile, pushFile } from "../../src/sdk/node/index.ts";
import { type Wire, type WireClient, wires } from "../support/clients.ts";
import { type ContentServer, INDEX, manifestOf, pushManifest, startContentServer } from "../support/content-server.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { debian } from "../support/debian.ts";
import { type ImageContent, type SkopeoImage, writeSkopeoImage } from "../support/skopeo-image.ts";

const run = promisify(execFile);
const skopeo = await debian("skopeo");

/** Every protocol, in binary, without TLS: what carries the bytes, not what wraps them (test/wire has the rest). */
const protocols: readonly Wire[] = wires.filter(({ name }) =>
  [
    "connect over HTTP/1.1 at http",
    "connect over HTTP/2 at http",
    "grpc over HTTP/2 at http",
    "grpc-web over HTTP/1.1 at http",
  ].includes(name),
);

/** sha256 of a file by coreutils. */
async function sha256sum(path: string): Promise<string> {
  const { stdout } = await run("sha256sum", [path]);
  return `sha256:${stdout.slice(0, 64)}`;
}

async function slice(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await open(path);
  const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, offset);
  await file.close();
  return buffer.subarray(0, bytesRead);
}

describe.skipIf(skopeo === undefined)("an image that skopeo wrote", () => {
  let directory: string;
  let image: SkopeoImage;
  let server: ContentServer;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "descry-image-"));
    [image, server] = await Promise.all([writeSkopeoImage(skopeo ?? "", directory), startContentServer()]);
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const descOf = ({ mediaType, digest, size }: ImageContent) => ({ mediaType, digest, size: BigInt(size) });
  const largest = (): ImageContent => image.blobs.reduce((a, b) => (b.size > a.size ? b : a));

  test("every protocol is here", () => {
    expect(protocols).toHaveLength(4);
  });

  describe.each(protocols)("over $name", (wire) => {
    const repository = `descry.local/image/${wire.protocol}${wire.http}`;
    let client: WireClient;
    beforeAll(() => {
      client = wire.open(server);
    });
    afterAll(() => client.close());

    test("is pushed blob by blob, then the manifest with its tag", async () => {
      const { content } = client;
      for (const blob of image.blobs) {
        const header = { ref: repository, desc: descOf(blob) };
        const { receipt } = await content.pushStream(
          (async function* () {
            yield { part: { case: "header" as const, value: header } };
            for await (const value of createReadStream(blob.path, { highWaterMark: 256 * 1024 }))
              yield { part: { case: "data" as const, value: value as Uint8Array<ArrayBuffer> } };
          })(),
        );
        expect(receipt).toMatchObject({ outcome: Outcome.CREATED, desc: descOf(blob) });
      }
      const data = new Uint8Array(await readFile(image.manifest.path));
      const { receipt } = await content.push({ ref: `${repository}:real`, desc: descOf(image.manifest), data });
      expect(receipt).toMatchObject({ outcome: Outcome.CREATED, pinnedRef: `${repository}@${image.manifest.digest}` });
      const again = await content.preparePush({ repository, descs: [...image.blobs, image.manifest].map(descOf) });
      expect(again.states.every(({ presence }) => presence === Presence.PRESENT)).toBe(true);
    });

    test("is read back byte by byte the same, into a layout that skopeo reads", async () => {
      const { content } = client;
      const layout = join(directory, `${wire.protocol}${wire.http}`);
      const blobs = join(layout, "blobs", "sha256");
      await mkdir(blobs, { recursive: true });
      const { desc } = await content.resolve({ ref: `${repository}:real` });
      expect(desc).toMatchObject(descOf(image.manifest));
      for (const { digest, mediaType } of [image.manifest, ...image.blobs]) {
        const chunks: Uint8Array[] = [];
        for await (const { part } of content.fetchStream({ ref: repository, digest, mediaType }))
          if (part.case === "data") chunks.push(part.value);
        const path = join(blobs, digest.slice("sha256:".length));
        await writeFile(path, chunks);
        expect(await sha256sum(path)).toBe(digest);
      }
      await writeFile(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
      await writeFile(join(layout, "index.json"), await readFile(join(image.layout, "index.json")));
      const inspect = async (at: string) => await run(skopeo ?? "", ["inspect", "--raw", `oci:${at}:${image.tag}`]);
      expect((await inspect(layout)).stdout).toBe((await inspect(image.layout)).stdout);
    });

    test("is read by ranges", async () => {
      const { content } = client;
      const { path, digest, size } = largest();
      for (const [offset, length] of [
        [0, 1],
        [262_143, 2],
        [1_000_001, 700_000],
        [size - 5, 5],
        [size - 5, 4_194_304],
        [size, 1],
      ] as const) {
        const range = { ref: repository, digest, offset: BigInt(offset), length: BigInt(length) };
        const expected = await slice(path, offset, length);
        const answer = await content.fetch(range);
        expect(Buffer.compare(answer.data, expected)).toBe(0);
        expect(answer.desc?.size).toBe(BigInt(size));
        const chunks: Uint8Array[] = [];
        for await (const { part } of content.fetchStream(range)) if (part.case === "data") chunks.push(part.value);
        expect(Buffer.compare(Buffer.concat(chunks), expected)).toBe(0);
      }
    });

    test("is found by what refers to it", async () => {
      const { content } = client;
      const { mediaType, digest, size } = image.manifest;
      const signature = manifestOf(wire.name, {
        artifactType: "application/test",
        subject: { mediaType, digest, size },
      });
      const referrer = await pushManifest(content, repository, signature);
      const { referrers, subjectDigest } = await content.listReferrers({ ref: `${repository}:real` });
      expect(subjectDigest).toBe(digest);
      expect(referrers).toMatchObject([{ digest: referrer, mediaType: INDEX, artifactType: "application/test" }]);
      const { tags } = await content.listTags({ repository });
      expect(tags).toMatchObject([{ name: "real", digest }]);
    });
  });

  test("lies in the store once, each file what its name says (sha256sum --check)", async () => {
    const blobs = join(server.directory, "blobs", "sha256");
    const names = await readdir(blobs);
    for (const { digest } of [image.manifest, ...image.blobs]) expect(names).toContain(digest.slice("sha256:".length));
    const list = join(directory, "SHA256SUMS");
    await writeFile(list, names.map((name) => `${name}  ${join(blobs, name)}\n`).join(""));
    await run("sha256sum", ["--check", "--strict", "--quiet", list]);
    // One manifest and its blobs, and a referrer for each protocol.
    expect(names).toHaveLength(1 + image.blobs.length + protocols.length);
  });

  describe.each(["1.1", "2"] as const)("through a network that breaks, over HTTP/%s", (httpVersion) => {
    const calls = (method: string): number =>
      server.lines.filter((line) => line.event === "call" && line.rpc.endsWith(`/${method}`)).length;

    test("the archive it was made from goes up, in several tries", async () => {
      const path = join(directory, "docker-archive.tar");
      const proxy = await startCuttingProxy(server.http, { after: 2_000_000, towards: "server", times: 2 });
      const descry = createNodeDescry({ baseUrl: proxy.url, httpVersion });
      const before = calls("PushStream");
      const repository = `descry.local/cut/${httpVersion}`;
      try {
        const receipt = await pushFile(descry, repository, path, { mediaType: "application/x-tar" });
        expect(receipt.desc.digest).toBe(await sha256sum(path));
        expect(proxy.cuts).toBe(2);
        await expect.poll(() => calls("PushStream") - before).toBe(3);
        const stored = join(server.directory, "blobs", ...receipt.desc.digest.split(":"));
        expect(await sha256sum(stored)).toBe(receipt.desc.digest);
      } finally {
        descry.close();
        await proxy.close();
      }
    });

    test("its largest layer comes down, each byte once", async () => {
      const { digest, size } = largest();
      const proxy = await startCuttingProxy(server.http, { after: Math.floor(size / 4), towards: "client", times: 2 });
      const descry = createNodeDescry({ baseUrl: proxy.url, httpVersion });
      const before = calls("FetchStream");
      try {
        const path = join(directory, `down${httpVersion}`);
        const offsets: number[] = [];
        const onProgress = ({ offset }: { readonly offset: number }): void => void offsets.push(offset);
        await fetchToFile(descry, `descry.local/image/grpc2.0@${digest}`, path, { onProgress });
        expect(await sha256sum(path)).toBe(digest);
        expect(proxy.cuts).toBe(2);
        await expect.poll(() => calls("FetchStream") - before).toBe(3);
        expect(offsets).toEqual([...new Set(offsets)].toSorted((a, b) => a - b));
      } finally {
        descry.close();
        await proxy.close();
      }
    });
  });
});
