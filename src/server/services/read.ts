import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { Fetched, Fetcher, Resolver, Wanted } from "../../content/registry.ts";
import {
  type FetchRequest,
  type FetchResponseSchema,
  type FetchStreamRequest,
  type FetchStreamResponse,
  FetchStreamResponseSchema,
  type ResolveRequest,
  type ResolveResponseSchema,
} from "../../gen/descry/v1/content_service_pb.ts";
import { DescryError } from "../../oci/errors.ts";
import { formatReference, pinnedReference } from "../../oci/reference.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/manifest.ts";
import { outgoingKey } from "../../wire/keys.ts";
import { FieldReader, MAX_URLS } from "../validate.ts";
import { setCaching } from "./caching.ts";
import { callOf } from "./call.ts";
import { descriptorToWire, freshnessToWire } from "./values.ts";

/** Most bytes of one Fetch answer: a manifest of the largest size. */
const MAX_FETCH_BYTES: number = MAX_MANIFEST_BYTES;
/** Stands for bytes that pass the encoder by. */
const nothing = new Uint8Array();
/** Longest pin ID: `sha256:` and 64 hex digits. */
export const MAX_PIN_ID_BYTES = 71;

export async function resolve(
  content: Resolver,
  request: ResolveRequest,
  context: HandlerContext,
): Promise<MessageInitShape<typeof ResolveResponseSchema>> {
  const fields = new FieldReader();
  const asked = fields.reference("ref", request.ref);
  const freshness = askedOf(fields, request);
  fields.done();
  refusePin(request.pinId);
  const { reference, descriptor, freshness: found } = await content.resolve(asked, freshness, callOf(context));
  setCaching(context, descriptor.digest, reference.digest !== undefined);
  return {
    ref: formatReference(reference),
    desc: descriptorToWire(descriptor),
    pinnedRef: pinnedReference(reference, descriptor.digest),
    freshness: freshnessToWire(found),
  };
}

export async function fetch(
  content: Fetcher,
  request: FetchRequest,
  context: HandlerContext,
): Promise<MessageInitShape<typeof FetchResponseSchema>> {
  const fields = new FieldReader();
  if (request.length > BigInt(MAX_FETCH_BYTES))
    fields.violate("length", `is ${request.length}; at most ${MAX_FETCH_BYTES}, or use FetchStream`);
  const fetched = await find(content, wantedOf(fields, request), request, context);
  const { reference, descriptor, offset, length } = fetched;
  if (length > MAX_FETCH_BYTES)
    throw new DescryError(
      "CONTENT_TOO_LARGE",
      `${length} bytes are more than one answer holds; use FetchStream, or slices by offset and length`,
      {
        digest: descriptor.digest,
        metadata: { size: String(descriptor.size), limit: String(MAX_FETCH_BYTES), use: "FetchStream" },
      },
    );
  const data = new Uint8Array(length);
  let filled = 0;
  for await (const chunk of await fetched.open()) {
    data.set(chunk, filled);
    filled += chunk.byteLength;
  }
  setCaching(context, descriptor.digest, reference.digest !== undefined);
  return { ...headerOf(fetched), offset: BigInt(offset), data };
}

export async function* fetchStream(
  content: Fetcher,
  request: FetchStreamRequest,
  context: HandlerContext,
): AsyncGenerator<FetchStreamResponse> {
  const fetched = await find(content, wantedOf(new FieldReader(), request), request, context);
  const outgoing = context.values.get(outgoingKey);
  // A chunk is larger than what Node buffers of a response, so that it has left for the network when connect-node asks
  // for the next one: it waits for "drain".
  const bytes = (await fetched.open(outgoing !== undefined))[Symbol.asyncIterator]();
  // Not `for await`: a reader that leaves after the header must release the bytes as well.
  try {
    let offset = BigInt(fetched.offset);
    yield create(FetchStreamResponseSchema, { part: { case: "header", value: headerOf(fetched) }, offset });
    for (let step = await bytes.next(); step.done !== true; step = await bytes.next()) {
      context.signal.throwIfAborted();
      outgoing?.put(step.value);
      const value = outgoing === undefined ? step.value : nothing;
      yield create(FetchStreamResponseSchema, { part: { case: "data", value }, offset });
      offset += BigInt(step.value.byteLength);
    }
  } finally {
    await bytes.return?.();
  }
}

function wantedOf(fields: FieldReader, request: FetchRequest | FetchStreamRequest): Wanted {
  const reference = fields.reference("ref", request.ref);
  const digest = fields.digest("digest", request.digest);
  const mediaType = fields.mediaType("media_type", request.mediaType);
  const offset = fields.bytes("offset", request.offset);
  const length = fields.bytes("length", request.length);
  fields.count("urls", request.urls, MAX_URLS);
  const asked = askedOf(fields, request);
  // By tag, two slices may be halves of two images.
  if (digest === undefined && reference.digest === undefined) {
    if (offset > 0) fields.violate("offset", "is for content named by digest only: a tag may move in between");
    if (length > 0) fields.violate("length", "is for content named by digest only: a tag may move in between");
  }
  fields.done();
  return {
    reference,
    ...(digest === undefined ? {} : { digest }),
    ...(mediaType === undefined ? {} : { mediaType }),
    offset,
    ...(length === 0 ? {} : { length }),
    asked,
  };
}

async function find(
  content: Fetcher,
  wanted: Wanted,
  { pinId, urls }: FetchRequest | FetchStreamRequest,
  context: HandlerContext,
): Promise<Fetched> {
  refusePin(pinId);
  try {
    return await content.fetch(wanted, callOf(context));
  } catch (error) {
    // The contract wants them tried now, which needs what speaks to other hosts.
    if (urls.length > 0 && error instanceof DescryError && error.reason === "CONTENT_UNKNOWN") refuse("urls");
    throw error;
  }
}

/** What a Fetch answer and a stream's header have in common. */
function headerOf(fetched: Fetched) {
  const { reference, descriptor, freshness, verified } = fetched;
  return {
    ref: formatReference(reference),
    desc: descriptorToWire(descriptor),
    pinnedRef: pinnedReference(reference, descriptor.digest),
    freshness: freshnessToWire(freshness),
    verified,
  };
}

function askedOf(
  fields: FieldReader,
  request: Pick<ResolveRequest, "maxAge" | "onlyCached" | "pinId">,
): Wanted["asked"] {
  const maxAge = fields.duration("max_age", request.maxAge);
  fields.text("pin_id", request.pinId, MAX_PIN_ID_BYTES);
  return { onlyCached: request.onlyCached, ...(maxAge === undefined ? {} : { maxAge }) };
}

/** A field that narrows the meaning of a call is answered or refused, never ignored. */
export function refusePin(pinId: string): void {
  if (pinId !== "") refuse("pin_id");
}

function refuse(field: string): never {
  throw new DescryError("UNSUPPORTED", `${field}: this server does not do that`, { metadata: { field } });
}
