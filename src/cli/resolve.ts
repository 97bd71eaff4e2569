import { parsePlatform } from "../oci/platform.ts";
import { parseReference } from "../oci/reference.ts";
import type { Descry } from "../sdk/index.ts";
import type { Io } from "./io.ts";
import { type Format, print, resolutionJson } from "./output.ts";
import { resolvePlatform } from "./resolve-platform.ts";

export interface ResolveFlags {
  readonly format: Format;
  readonly platform?: string;
}

/** `descry resolve REF…` */
export async function resolve(io: Io, descry: Descry, refs: readonly string[], flags: ResolveFlags): Promise<void> {
  const platform = flags.platform === undefined ? undefined : parsePlatform(flags.platform, "--platform");
  // All of them before the first: a typing error should cost nothing.
  for (const ref of refs) parseReference(ref);
  for (const ref of refs) {
    const root = await descry.resolve(ref);
    const resolution = platform === undefined ? root : await resolvePlatform(descry, root, platform);
    await print(io, flags.format, resolution.pinnedRef, () => resolutionJson(resolution));
  }
}
