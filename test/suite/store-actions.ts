import { createHash } from "node:crypto";
import type { Digest } from "../../src/oci/digest.ts";
import { DescryError } from "../../src/oci/errors.ts";
import { parseManifest } from "../../src/oci/manifest.ts";
import { OCI_EMPTY, OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media-type.ts";
import type { Identity, Incoming, Store, TagChange, TagWrite } from "../../src/store/store.ts";

/** Bytes with their digest, by Node's hash and not by descry's. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly identity: Identity;
}

export function hashOf(bytes: Uint8Array, algorithm = "sha256"): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

export function blobOf(bytes: Uint8Array | string, algorithm = "sha256"): Content {
  const all = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  return { bytes: all, digest: hashOf(all, algorithm), identity: { kind: "blob", mediaType: "" } };
}

export interface ManifestShape {
  /** Makes it another manifest than all others. */
  readonly name: string;
  readonly subject?: Content;
  readonly artifactType?: string;
}

/** A manifest of any JSON. */
export function manifestOf(mediaType: string, json: object): Content {
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType, ...json }));
  return { bytes, digest: hashOf(bytes), identity: { kind: "manifest", manifest: parseManifest(bytes, mediaType) } };
}

export function descriptorOf({ digest, bytes, identity }: Content, urls?: readonly string[]): object {
  const mediaType = identity.kind === "manifest" ? identity.manifest.mediaType : OCI_EMPTY;
  return { mediaType, digest, size: bytes.byteLength, urls };
}

/** An image manifest of a config and layers. */
export function imageOf(shape: ManifestShape, config: Content, ...layers: readonly Content[]): Content {
  return manifestOf(OCI_MANIFEST, {
    ...common(shape),
    config: descriptorOf(config),
    layers: layers.map((layer) => descriptorOf(layer)),
  });
}

/** An index; without children it can be pushed anywhere. */
export function indexOf(shape: ManifestShape, ...manifests: readonly Content[]): Content {
  return manifestOf(OCI_INDEX, { ...common(shape), manifests: manifests.map((manifest) => descriptorOf(manifest)) });
}

function common({ name, subject, artifactType }: ManifestShape): object {
  return { annotations: { name }, artifactType, subject: subject && descriptorOf(subject) };
}

export const ME = "me";

export function incoming(repository: string, { digest, bytes }: Content, owner = ME): Incoming {
  return { repository, digest, size: bytes.byteLength, owner };
}

/** Puts content into a repository, as what it is. */
export async function push(
  store: Store,
  repository: string,
  content: Content,
  tag?: TagWrite,
): Promise<TagChange | undefined> {
  const upload = await store.upload(incoming(repository, content), 0);
  try {
    await upload.write(content.bytes);
  } catch (error) {
    await upload.discard();
    throw error;
  }
  return await upload.commit(content.identity, tag);
}

/** Sends the first bytes of content and breaks off, as a cut connection does. */
export async function pushSome(store: Store, repository: string, content: Content, length: number): Promise<void> {
  const upload = await store.upload(incoming(repository, content), 0);
  await upload.write(content.bytes.subarray(0, length));
  await upload.park();
}

/** All bytes of what a repository has. */
export async function readAll(store: Store, repository: string, digest: Digest): Promise<Buffer> {
  const stored = await store.find(repository, digest);
  if (stored === undefined) throw new Error(`${repository} has no ${digest}`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of await store.read(stored, { offset: 0, length: stored.size })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The reason of a refusal, with what the error says about the state; undefined: it was none. */
export async function refusalOf(run: Promise<unknown>): Promise<DescryError | undefined> {
  try {
    await run;
    return undefined;
  } catch (error) {
    if (error instanceof DescryError) return error;
    throw error;
  }
}

/** The reason of a refusal; "done" if there was none. */
export async function reasonOf(run: Promise<unknown>): Promise<string> {
  const refusal = await refusalOf(run);
  return refusal === undefined ? "done" : (refusal.reason ?? refusal.code);
}
