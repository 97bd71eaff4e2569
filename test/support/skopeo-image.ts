import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { packTar, type TarEntry } from "modern-tar";
import type { Digest } from "../../src/oci/digest.ts";

const run = promisify(execFile);

/** What a layer is made of: the files below a directory, by name, as many as fit. */
interface LayerPlan {
  readonly from: string;
  /** Bytes of files, at most. */
  readonly bytes: number;
}

const MiB = 1024 * 1024;
/** Small enough for every test run, and large enough for a layer to span many messages. */
const layers: readonly LayerPlan[] = [
  { from: "/usr/bin", bytes: 8 * MiB },
  { from: "/usr/sbin", bytes: 3 * MiB },
  { from: "/usr/share/doc", bytes: 1 * MiB },
];

/** A layer with less room than this is full: the rest of a large directory need not be looked at. */
const FULL_BYTES = 16 * 1024;

/** Content of an image, as the layout has it. */
export interface ImageContent {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  /** File with the bytes. */
  readonly path: string;
}

/** An image that skopeo wrote as an OCI layout (image-layout v1). */
export interface SkopeoImage {
  /** Directory of the layout. */
  readonly layout: string;
  readonly tag: string;
  /** For skopeo's command line: `oci:DIRECTORY:TAG`. */
  readonly name: string;
  readonly manifest: ImageContent;
  /** Config first, then the layers, as the manifest lists them. */
  readonly blobs: readonly ImageContent[];
}

/**
 * Writes a real image of several layers into `directory`: files of this machine go into a docker-archive, and skopeo
 * makes an OCI layout of it (compressed layers, its own manifest). The same machine gives the same image.
 */
export async function writeSkopeoImage(skopeo: string, directory: string): Promise<SkopeoImage> {
  await mkdir(directory, { recursive: true });
  const archive = join(directory, "docker-archive.tar");
  await writeFile(archive, await dockerArchive());
  const tag = "real";
  const layout = join(directory, "layout");
  const name = `oci:${layout}:${tag}`;
  await run(skopeo, ["--insecure-policy", "copy", `docker-archive:${archive}`, name]);
  return { layout, tag, name, ...(await readLayout(layout)) };
}

/** A docker-archive (`docker save`) of one image: manifest.json, the config, one tar per layer. */
async function dockerArchive(): Promise<Uint8Array> {
  const tars = await Promise.all(layers.map(layerTar));
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    created: "1970-01-01T00:00:00Z",
    config: { Cmd: ["/bin/true"], Labels: { "org.opencontainers.image.title": "descry test image" } },
    rootfs: { type: "layers", diff_ids: tars.map((tar) => `sha256:${sha256(tar)}`) },
    history: layers.map((layer) => ({ created: "1970-01-01T00:00:00Z", created_by: `files of ${layer.from}` })),
  });
  const configName = `${sha256(Buffer.from(config))}.json`;
  const layerNames = tars.map((tar) => `${sha256(tar)}.tar`);
  const manifest = [{ Config: configName, RepoTags: ["descry.example/real:latest"], Layers: layerNames }];
  return packTar([
    file("manifest.json", Buffer.from(JSON.stringify(manifest))),
    file(configName, Buffer.from(config)),
    ...tars.map((tar, i) => file(layerNames[i] ?? "", tar)),
  ]);
}

async function layerTar(plan: LayerPlan): Promise<Uint8Array> {
  const entries: TarEntry[] = [];
  let left = plan.bytes;
  for (const path of await filesBelow(plan.from)) {
    if (left < FULL_BYTES) break;
    const { size } = await stat(path);
    if (size > left) continue;
    left -= size;
    entries.push(file(path.slice(1), await readFile(path)));
  }
  return packTar(entries);
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name)).toSorted();
}

function file(name: string, body: Uint8Array): TarEntry {
  return { header: { name, size: body.byteLength, mode: 0o644, mtime: new Date(0) }, body };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

interface JsonDescriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

async function readLayout(layout: string): Promise<Pick<SkopeoImage, "manifest" | "blobs">> {
  const content = ({ mediaType, digest, size }: JsonDescriptor): ImageContent => {
    return { mediaType, digest, size, path: join(layout, "blobs", ...digest.split(":")) };
  };
  const index: { manifests: [JsonDescriptor] } = JSON.parse(await readFile(join(layout, "index.json"), "utf8"));
  const manifest = content(index.manifests[0]);
  const parsed: { config: JsonDescriptor; layers: JsonDescriptor[] } = JSON.parse(
    await readFile(manifest.path, "utf8"),
  );
  return { manifest, blobs: [parsed.config, ...parsed.layers].map(content) };
}
