import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debian } from "./debian.ts";
import { startDockerRegistry } from "./docker-registry.ts";
import type { ServerProcess } from "./server-process.ts";
import { type SkopeoImage, writeSkopeoImage } from "./skopeo-image.ts";

const run = promisify(execFile);
const skopeo = await debian("skopeo");
const registryProgram = await debian("docker-registry");

describe.skipIf(skopeo === undefined || registryProgram === undefined)("a real image and a real registry", () => {
  let directory: string;
  let image: SkopeoImage;
  let registry: ServerProcess;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "descry-skopeo-"));
    image = await writeSkopeoImage(skopeo ?? "", directory);
    registry = await startDockerRegistry(registryProgram ?? "", join(directory, "registry"));
  });

  afterAll(async () => {
    await registry.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it("has a config and several layers whose files are what their descriptors say", async () => {
    expect(image.blobs.map((blob) => blob.mediaType)).toEqual([
      "application/vnd.oci.image.config.v1+json",
      ...Array.from({ length: 3 }, () => "application/vnd.oci.image.layer.v1.tar+gzip"),
    ]);
    for (const content of [image.manifest, ...image.blobs]) {
      const bytes = await readFile(content.path);
      expect(bytes.byteLength).toBe(content.size);
      expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(content.digest);
    }
  });

  it("goes into the registry by skopeo and comes out under the same digest", async () => {
    const name = `${registry.announced}/real:latest`;
    await run(skopeo ?? "", ["--insecure-policy", "copy", "--dest-tls-verify=false", image.name, `docker://${name}`]);
    const answer = await fetch(`http://${registry.announced}/v2/real/manifests/latest`, {
      method: "HEAD",
      headers: { accept: image.manifest.mediaType },
    });
    expect(answer.headers.get("docker-content-digest")).toBe(image.manifest.digest);
  });
});
