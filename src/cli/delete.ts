import type { ContentKind } from "../oci/descriptor.ts";
import { parseReference } from "../oci/reference.ts";
import type { Deletion, Descry } from "../sdk/index.ts";
import { DescryError } from "../oci/errors.ts";
import { type Io, writeLine } from "./io.ts";
import { type Format, print } from "./output.ts";
import { confirm } from "./prompt.ts";

export interface DeleteFlags {
  readonly format: Format;
  readonly kind?: ContentKind;
  readonly force?: boolean;
}

/** `descry delete REF`: says what goes, asks, deletes. */
export async function remove(io: Io, descry: Descry, ref: string, flags: DeleteFlags): Promise<void> {
  const kind = flags.kind === undefined ? {} : { kind: flags.kind };
  const planned = await descry.delete(ref, { ...kind, validateOnly: true });
  for (const line of describe(planned)) await writeLine(io.stderr, line);
  if (flags.force !== true && !(await confirm(io, "Delete?")))
    throw new DescryError(undefined, "nothing was deleted", { code: "canceled" });
  // What was shown is what goes: a tag that moved meanwhile stays.
  const byTag = parseReference(ref).digest === undefined && planned.digest !== undefined;
  const ifCurrent = byTag ? { ifCurrent: { digest: planned.digest } } : {};
  const { digest, tags, namedBy } = await descry.delete(ref, { ...kind, ...ifCurrent });
  await print(io, flags.format, planned.ref, () => ({ ref: planned.ref, digest, tags, namedBy }));
}

/** Longest list that is shown; the rest is counted. */
const SHOWN = 10;

function describe({ ref, digest, tags, namedBy }: Deletion): readonly string[] {
  const { tag } = parseReference(ref);
  if (tag !== undefined) return [`deletes the tag ${ref}; ${digest ?? "its manifest"} stays`];
  return [
    `deletes ${ref}`,
    ...(tags.length === 0 ? [] : [`  and its tags: ${shorten(tags)}`]),
    ...(namedBy.length === 0 ? [] : [`  which is then missing from: ${shorten(namedBy)}`]),
  ];
}

function shorten(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return names.slice(0, SHOWN).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
