import type { ContentKind } from "../oci/descriptor.ts";
import { isJsonObject } from "../oci/descriptor.ts";
import { isManifest, OCI_INDEX, OCI_MANIFEST, OCTET_STREAM } from "../oci/media-type.ts";
import { formatReference, isTag, parseReference, type Reference, repositoryOf } from "../oci/reference.ts";
import type { Descry, PushOptions, Receipt } from "../sdk/index.ts";
import { pushArtifact } from "./artifact.ts";
import { usageError } from "./exit.ts";
import { type Input, openInput } from "./input.ts";
import type { Io } from "./io.ts";
import { type Format, print, receiptJson } from "./output.ts";
import { createProgress } from "./progress.ts";

export interface PushFlags {
  readonly format: Format;
  readonly mediaType?: string;
  readonly kind?: ContentKind;
  readonly tag?: readonly string[];
  readonly subject?: string;
  readonly artifactType?: string;
}

/** `descry push REF FILE` */
export async function push(io: Io, descry: Descry, ref: string, path: string, flags: PushFlags): Promise<void> {
  const target = parseReference(ref);
  const tags = tagsOf(target, flags.tag ?? []);
  const input = await openInput(io, path);
  const progress = createProgress(io);
  try {
    const receipt = await pushInput(descry, { target, tags, input, flags, onProgress: progress.update });
    progress.end();
    await print(io, flags.format, receipt.pinnedRef, () => receiptJson(receipt));
  } finally {
    progress.end();
    await input.dispose();
  }
}

interface Pushing {
  readonly target: Reference;
  readonly tags: readonly string[];
  readonly input: Input;
  readonly flags: PushFlags;
  readonly onProgress: NonNullable<PushOptions["onProgress"]>;
}

async function pushInput(descry: Descry, { target, tags, input, flags, onProgress }: Pushing): Promise<Receipt> {
  const { subject, artifactType, kind } = flags;
  const mediaType = flags.mediaType ?? (kind === "blob" ? undefined : manifestType(input.bytes));
  const manifest = kind === "manifest" || (kind === undefined && mediaType !== undefined && isManifest(mediaType));
  const [first, ...others] = tags;
  // With several tags the manifest goes first, by digest alone: a tag that fails then leaves no doubt about the rest.
  const ref =
    others.length > 0
      ? repositoryOf(target)
      : formatReference(first === undefined ? target : { ...target, tag: first });

  let receipt: Receipt;
  if (subject !== undefined || artifactType !== undefined) {
    if (manifest) throw usageError("the file is a manifest: its subject and artifact type are what stands in it");
    if (target.digest !== undefined)
      throw usageError("an artifact's manifest is written here; name it without a digest");
    receipt = await pushArtifact(descry, ref, {
      input,
      onProgress,
      mediaType: mediaType ?? OCTET_STREAM,
      ...(subject === undefined ? {} : { subject }),
      ...(artifactType === undefined ? {} : { artifactType }),
    });
  } else {
    if (tags.length > 0 && !manifest)
      throw usageError(
        "a tag names a manifest, and the file is none: wrap it with --artifact-type, or say what it is with --media-type",
      );
    if (manifest && mediaType === undefined) throw usageError("give the manifest's --media-type: it states none");
    const type = mediaType ?? OCTET_STREAM;
    receipt = await descry.push(ref, input.source, {
      mediaType: type,
      onProgress,
      ...(kind === undefined ? {} : { kind }),
      // A digest that was given is a promise to be checked, not a name to be computed.
      ...(target.digest === undefined
        ? {}
        : { descriptor: { mediaType: type, digest: target.digest, size: input.size } }),
    });
  }
  if (others.length === 0) return receipt;
  const { digest } = receipt.desc;
  for (const tag of tags) await descry.setTag(`${repositoryOf(target)}:${tag}`, digest);
  return receipt;
}

/** The reference's own tag and those of --tag, each once. */
function tagsOf(target: Reference, flags: readonly string[]): readonly string[] {
  for (const tag of flags)
    if (!isTag(tag)) throw usageError(`--tag ${JSON.stringify(tag)} is no tag: 1 to 128 letters, digits and _.-`);
  if (target.digest !== undefined && (target.tag !== undefined || flags.length > 0))
    throw usageError("give tags or a digest, not both");
  return [...new Set([...(target.tag === undefined ? [] : [target.tag]), ...flags])];
}

/** The media type of a manifest, from its bytes; undefined if they are none. */
function manifestType(bytes: Uint8Array | undefined): string | undefined {
  // "{" first, so that a tarball is not decoded for nothing.
  if (bytes === undefined || !/^\s*\{/.test(new TextDecoder().decode(bytes.subarray(0, 64)))) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
  if (!isJsonObject(json) || json["schemaVersion"] !== 2) return undefined;
  if (typeof json["mediaType"] === "string") return json["mediaType"];
  // Only Docker's types have to be stated (image-spec, manifest.md and image-index.md).
  if ("manifests" in json) return OCI_INDEX;
  return "layers" in json ? OCI_MANIFEST : undefined;
}
