import { type Descriptor, descriptorToJson } from "../oci/descriptor.ts";
import { isDigest } from "../oci/digest.ts";
import { OCI_EMPTY, OCI_MANIFEST } from "../oci/media-type.ts";
import { parseReference, pinnedReference, repositoryOf } from "../oci/reference.ts";
import { digestOf } from "../oci/verifier.ts";
import type { ContentName, Descry, PushOptions, Receipt } from "../sdk/index.ts";
import { usageError } from "./exit.ts";
import type { Input } from "./input.ts";

/** A file to be wrapped in a manifest of its own. */
export interface Artifact {
  readonly input: Input;
  readonly mediaType: string;
  /** What it is about: a digest or a reference in the same repository. */
  readonly subject?: string;
  readonly artifactType?: string;
  readonly onProgress: NonNullable<PushOptions["onProgress"]>;
}

/** A manifest with an empty config must state a type (image-spec, manifest.md); this is the one oras states. */
const UNKNOWN_ARTIFACT = "application/vnd.unknown.artifact.v1";
/** The empty JSON object, for a config that says nothing (image-spec, "Guidance for an Empty Descriptor"). */
const EMPTY_JSON = new TextEncoder().encode("{}");
const TITLE = "org.opencontainers.image.title";

/** Pushes the file as the one layer of a manifest (image-spec, "Guidelines for Artifact Usage"), then that manifest. */
export async function pushArtifact(descry: Descry, ref: string, artifact: Artifact): Promise<Receipt> {
  const repository = repositoryOf(parseReference(ref));
  const subject = artifact.subject === undefined ? undefined : await findSubject(descry, repository, artifact.subject);
  const { mediaType, input, onProgress } = artifact;
  const { desc: layer } = await descry.push(repository, input.source, { mediaType, kind: "blob", onProgress });
  const config: ContentName = { mediaType: OCI_EMPTY, digest: digestOf(EMPTY_JSON), size: EMPTY_JSON.byteLength };
  await descry.push(repository, EMPTY_JSON, { descriptor: config, kind: "blob" });

  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: artifact.artifactType ?? UNKNOWN_ARTIFACT,
    config: descriptorToJson({ ...config, data: EMPTY_JSON }),
    layers: [
      descriptorToJson({
        mediaType,
        digest: layer.digest,
        size: layer.size,
        ...(input.name === undefined ? {} : { annotations: { [TITLE]: input.name } }),
      }),
    ],
    ...(subject === undefined ? {} : { subject: descriptorToJson(subject) }),
  };
  return await descry.push(ref, new TextEncoder().encode(JSON.stringify(manifest)), { mediaType: OCI_MANIFEST });
}

async function findSubject(descry: Descry, repository: string, subject: string): Promise<Descriptor> {
  const ref = isDigest(subject) ? pinnedReference(parseReference(repository), subject) : subject;
  if (repositoryOf(parseReference(ref)) !== repository)
    throw usageError(
      `the subject ${ref} is in another repository; referrers live beside their subject, in ${repository}`,
    );
  const { desc } = await descry.resolve(ref);
  return { mediaType: desc.mediaType, digest: desc.digest, size: desc.size };
}
