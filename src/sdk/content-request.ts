import type { MessageInitShape } from "@bufbuild/protobuf";
import type { FetchRequestSchema } from "../gen/descry/v1/content_service_pb.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, parseDigest } from "../oci/digest.ts";
import { DescryError } from "../oci/errors.ts";
import { parseReference } from "../oci/reference.ts";
import type { CallOptions, FreshnessOptions } from "./options.ts";
import { freshnessToWire } from "./values.ts";

/** What to fetch, beside the reference, and which bytes of it. */
export interface ContentOptions extends CallOptions, FreshnessOptions {
  /** Content of the reference's repository, as a manifest names it: its size is checked too, its urls are tried. */
  readonly descriptor?: Descriptor;
  /** The same by digest alone. */
  readonly digest?: string;
  /** Where to look first. Default: the descriptor's media type; else manifests, then blobs. */
  readonly mediaType?: string;
  /** First byte wanted. Above 0 only for content named by digest. Default 0. */
  readonly offset?: number;
  /** Most bytes wanted; only for content named by digest. 0, the default: all from `offset` to the end. */
  readonly length?: number;
}

/** The bytes that were asked for, and what is known of them before the answer. */
export interface Wanted {
  /** Undefined: content named by tag. */
  readonly digest: Digest | undefined;
  readonly size: number | undefined;
  readonly offset: number;
  /** 0: to the end. */
  readonly length: number;
}

/** Reads the options. Throws FIELD_INVALID for a reference or a digest that is none: before anything is asked. */
export function wantedOf(ref: string, options: ContentOptions): Wanted {
  const { descriptor, offset = 0, length = 0 } = options;
  const named = options.digest ?? descriptor?.digest;
  return {
    digest: named === undefined ? parseReference(ref).digest : parseDigest(named),
    size: descriptor?.size,
    offset,
    length,
  };
}

/** The request's fields but for the range; Fetch and FetchStream have the same. */
export function contentRequest(
  ref: string,
  options: ContentOptions,
): Omit<MessageInitShape<typeof FetchRequestSchema>, "$typeName" | "offset" | "length"> {
  const { descriptor } = options;
  return {
    ref,
    digest: options.digest ?? descriptor?.digest ?? "",
    mediaType: options.mediaType ?? descriptor?.mediaType ?? "",
    urls: [...(descriptor?.urls ?? [])],
    ...freshnessToWire(options),
  };
}

/** Throws, as for wrong bytes, if the answer is about other content than was asked for. */
export function checkIdentity(wanted: Wanted, desc: Descriptor): void {
  if (wanted.digest !== undefined && wanted.digest !== desc.digest)
    throw new DescryError("DIGEST_MISMATCH", `asked for ${wanted.digest}, the server answers ${desc.digest}`, {
      code: "data_loss",
      digest: wanted.digest,
      metadata: { actual_digest: desc.digest },
    });
  if (wanted.size !== undefined && wanted.size !== desc.size)
    throw new DescryError("SIZE_MISMATCH", `${desc.digest} has ${desc.size} bytes, not ${wanted.size}`, {
      code: "data_loss",
      digest: desc.digest,
      metadata: { size: String(wanted.size) },
    });
}
