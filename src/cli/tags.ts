import { isDigest } from "../oci/digest.ts";
import { parseReference, repositoryOf } from "../oci/reference.ts";
import type { Descry, TagCondition } from "../sdk/index.ts";
import { usageError } from "./exit.ts";
import type { Io } from "./io.ts";
import { type Format, print, receiptJson } from "./output.ts";

export interface ListTagsFlags {
  readonly format: Format;
  readonly prefix?: string;
  readonly omitDigestTags?: boolean;
}

/** `descry tags ls REPOSITORY` */
export async function listTags(io: Io, descry: Descry, repository: string, flags: ListTagsFlags): Promise<void> {
  const { prefix, omitDigestTags } = flags;
  const options = {
    ...(prefix === undefined ? {} : { prefix }),
    ...(omitDigestTags === undefined ? {} : { omitDigestTags }),
  };
  for await (const { name, digest } of descry.listTags(repository, options))
    await print(io, flags.format, name, () => ({ name, ...(digest === undefined ? {} : { digest }) }));
}

export interface SetTagFlags {
  readonly format: Format;
  readonly ifDigest?: string;
  readonly ifAbsent?: boolean;
}

/** `descry tags set REF TARGET` */
export async function setTag(io: Io, descry: Descry, ref: string, target: string, flags: SetTagFlags): Promise<void> {
  demandTag(ref);
  const digest = isDigest(target) ? target : await digestInRepository(descry, ref, target);
  const receipt = await descry.setTag(ref, digest, conditionOf(flags));
  await print(io, flags.format, receipt.pinnedRef, () => receiptJson(receipt));
}

export interface RemoveTagFlags {
  readonly format: Format;
  readonly ifDigest?: string;
}

/** `descry tags rm REF`. Prints what the tag pointed to, so that it can be set again. */
export async function removeTag(io: Io, descry: Descry, ref: string, flags: RemoveTagFlags): Promise<void> {
  demandTag(ref);
  const removed = await descry.delete(ref, conditionOf(flags));
  const pinned = `${repositoryOf(parseReference(removed.ref))}@${removed.digest ?? ""}`;
  await print(io, flags.format, pinned, () => ({ ref: removed.ref, digest: removed.digest }));
}

async function digestInRepository(descry: Descry, ref: string, target: string): Promise<string> {
  const repository = repositoryOf(parseReference(ref));
  if (repositoryOf(parseReference(target)) !== repository)
    throw usageError(`${target} is in another repository than ${ref}; a tag names what its own repository has`);
  return (await descry.resolve(target)).desc.digest;
}

function demandTag(ref: string): void {
  const { tag, digest } = parseReference(ref);
  if (tag === undefined || digest !== undefined)
    throw usageError(`${JSON.stringify(ref)} names no tag; give repository:tag`);
}

function conditionOf({ ifDigest, ifAbsent }: Omit<SetTagFlags, "format">): { readonly ifCurrent?: TagCondition } {
  if (ifAbsent === true) return { ifCurrent: { absent: true } };
  return ifDigest === undefined ? {} : { ifCurrent: { digest: ifDigest } };
}
