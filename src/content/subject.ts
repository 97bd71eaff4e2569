import type { Digest } from "../oci/digest.ts";
import { parseManifest } from "../oci/manifest.ts";
import type { Store, Stored } from "../store/store.ts";

/** The subject of a manifest that the store has; undefined if it has none, or if its bytes went bad. */
export async function subjectOf(store: Store, stored: Stored): Promise<Digest | undefined> {
  const { kind, size, mediaType, corrupt } = stored;
  if (kind === "blob" || corrupt) return undefined;
  const bytes = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of await store.read(stored, { offset: 0, length: size })) {
    bytes.set(chunk, filled);
    filled += chunk.byteLength;
  }
  return parseManifest(bytes, mediaType).subject?.digest;
}
