import { packTar } from "modern-tar";
import { type Descriptor, descriptorToJson } from "../oci/descriptor.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from "../oci/media-type.ts";
import type { Platform } from "../oci/platform.ts";
import { digestOf } from "../oci/verifier.ts";
import type { Descry } from "../sdk/index.ts";

const REPOSITORY = "descry.local/hello";
const TAG = "latest";
const platforms: readonly Platform[] = [
  { os: "linux", architecture: "amd64" },
  { os: "linux", architecture: "arm64" },
];
/** Attestations stand in an index under a platform that nobody asks for (BuildKit, docs/attestations). */
const attestationPlatform: Platform = { os: "unknown", architecture: "unknown" };
const IN_TOTO = "application/vnd.in-toto+json";
const PROVENANCE = "https://slsa.dev/provenance/v1";
/** No clock: the same bytes, and so the same digests, on every machine. */
const CREATED = "2026-01-01T00:00:00Z";

/**
 * Pushes descry.local/hello:latest: an index of two platforms, each with a provenance attestation as BuildKit writes
 * them. Children go before parents and the tag comes last. A tag that is there already stays: it is its owner's.
 */
export async function seedDemo(descry: Descry): Promise<void> {
  const entries: Descriptor[] = [];
  const attestations: Descriptor[] = [];
  for (const platform of platforms) {
    const image = await pushImage(descry, platform);
    entries.push({ ...image, platform });
    attestations.push(await pushAttestation(descry, image, platform));
  }
  const index = await pushJson(descry, OCI_INDEX, {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [...entries, ...attestations].map((entry) => descriptorToJson(entry)),
  });
  for await (const { name } of descry.listTags(REPOSITORY)) if (name === TAG) return;
  await descry.setTag(`${REPOSITORY}:${TAG}`, index.digest);
}

async function pushImage(descry: Descry, platform: Platform): Promise<Descriptor> {
  const { os, architecture } = platform;
  const body = `Hello from descry, on ${os}/${architecture}.\n`;
  const mtime = new Date(CREATED);
  const tar = await packTar([
    { header: { name: "hello.txt", size: body.length, mode: 0o644, mtime, type: "file" }, body },
  ]);
  const layer = await push(descry, OCI_LAYER, tar);
  const config = await pushJson(descry, OCI_CONFIG, {
    created: CREATED,
    architecture,
    os,
    config: { Cmd: ["cat", "/hello.txt"] },
    // Of an uncompressed layer the digest is its DiffID.
    rootfs: { type: "layers", diff_ids: [layer.digest] },
    history: [{ created: CREATED, created_by: "descry serve --demo" }],
  });
  return await pushManifest(descry, config, layer);
}

async function pushAttestation(descry: Descry, image: Descriptor, platform: Platform): Promise<Descriptor> {
  const [algorithm = "", hex] = image.digest.split(":");
  const layer = await pushJson(descry, IN_TOTO, {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: `${REPOSITORY} ${platform.os}/${platform.architecture}`, digest: { [algorithm]: hex } }],
    predicateType: PROVENANCE,
    predicate: {
      buildDefinition: { buildType: "https://descry.local/demo", externalParameters: {} },
      runDetails: { builder: { id: "https://descry.local/demo" } },
    },
  });
  const config = await pushJson(descry, OCI_CONFIG, {
    architecture: attestationPlatform.architecture,
    os: attestationPlatform.os,
    config: {},
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  });
  const annotated = { ...layer, annotations: { "in-toto.io/predicate-type": PROVENANCE } };
  return {
    ...(await pushManifest(descry, config, annotated)),
    platform: attestationPlatform,
    annotations: {
      "vnd.docker.reference.type": "attestation-manifest",
      "vnd.docker.reference.digest": image.digest,
    },
  };
}

async function pushManifest(descry: Descry, config: Descriptor, layer: Descriptor): Promise<Descriptor> {
  return await pushJson(descry, OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptorToJson(config),
    layers: [descriptorToJson(layer)],
  });
}

async function pushJson(descry: Descry, mediaType: string, value: unknown): Promise<Descriptor> {
  return await push(descry, mediaType, new TextEncoder().encode(JSON.stringify(value)));
}

async function push(descry: Descry, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  await descry.push(REPOSITORY, bytes, { mediaType });
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
}
