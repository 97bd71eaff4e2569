import type { ContentKind } from "../oci/descriptor.ts";
import { ask, type Context } from "./call.ts";
import type { CallOptions } from "./options.ts";
import type { Deletion, TagCondition } from "./results.ts";
import { conditionToWire, digestFromWire, kindToWire, someDigest } from "./values.ts";

export interface DeleteOptions extends CallOptions {
  /** For a digest: which space it is in. Default: manifests; a blob is removed only when asked for as one. */
  readonly kind?: ContentKind;
  /** For a tag: what it must be now. */
  readonly ifCurrent?: TagCondition;
  /** Nothing there is a success. */
  readonly allowMissing?: boolean;
  /** Remove nothing; answer what would be removed. */
  readonly validateOnly?: boolean;
}

/** Removes a tag (reference with a tag) or content (reference with a digest). */
export async function remove(context: Context, ref: string, options: DeleteOptions = {}): Promise<Deletion> {
  const { allowMissing = false, validateOnly = false } = options;
  const fields = {
    ref,
    kind: kindToWire(options.kind),
    ...conditionToWire(options.ifCurrent),
    allowMissing,
    validateOnly,
  };
  const answer = await ask(context, options, (request) => context.wire.delete(fields, request));
  return {
    ref: answer.ref,
    deleted: answer.deleted,
    ...someDigest("digest", answer.digest),
    tags: answer.tags,
    namedBy: answer.namedBy.map((digest) => digestFromWire(digest)),
  };
}
