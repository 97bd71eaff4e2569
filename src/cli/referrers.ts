import { descriptorToJson } from "../oci/descriptor.ts";
import type { Descry } from "../sdk/index.ts";
import type { Io } from "./io.ts";
import { type Format, print } from "./output.ts";

export interface ReferrersFlags {
  readonly format: Format;
  readonly artifactType?: readonly string[];
}

/** `descry referrers REF` */
export async function referrers(io: Io, descry: Descry, ref: string, flags: ReferrersFlags): Promise<void> {
  for await (const descriptor of descry.listReferrers(ref, { artifactTypes: flags.artifactType ?? [] })) {
    const { digest, artifactType, mediaType } = descriptor;
    const text = `${digest}\t${artifactType ?? mediaType}`;
    await print(io, flags.format, text, () => descriptorToJson(descriptor));
  }
}
