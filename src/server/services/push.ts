import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import type { Pusher, PushTarget } from "../../content/registry.ts";
import {
  type PreparePushRequest,
  type PreparePushResponseSchema,
  Presence,
  type PushHeader,
  type PushRequest,
  type PushResponseSchema,
  type PushStreamRequest,
  type PushStreamResponseSchema,
} from "../../gen/descry/v1/content_service_pb.ts";
import { DescryError } from "../../oci/errors.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/manifest.ts";
import { incomingKey } from "../../wire/keys.ts";
import type { UnsplicedBody } from "../../wire/unsplice.ts";
import { FieldReader } from "../validate.ts";
import { blaming } from "./blame.ts";
import { callOf } from "./call.ts";
import { receiptToWire } from "./values.ts";

/** Most bytes of one Push, and of one message of a stream. */
const MAX_PUSH_BYTES: number = MAX_MANIFEST_BYTES;
/** Most entries of one PreparePush: as many layers as images have, and the answer stays small. */
const MAX_PREPARE = 256;
/** Most repositories to mount from: each costs a question per blob. */
const MAX_MOUNT_FROM = 8;

export async function preparePush(
  content: Pusher,
  request: PreparePushRequest,
  context: HandlerContext,
): Promise<MessageInitShape<typeof PreparePushResponseSchema>> {
  const fields = new FieldReader();
  const repository = fields.repository("repository", request.repository);
  if (request.descs.length === 0) fields.violate("descs", "is empty");
  fields.count("descs", request.descs, MAX_PREPARE);
  fields.count("mount_from", request.mountFrom, MAX_MOUNT_FROM);
  const descriptors = request.descs.map((desc, i) => fields.descriptor(`descs[${i}]`, desc));
  const mountFrom = request.mountFrom.map((from, i) => fields.repository(`mount_from[${i}]`, from));
  fields.done();
  const { states, heldUntil } = await content.prepare(repository, descriptors, mountFrom, callOf(context));
  return {
    states: states.map((state) => {
      switch (state.presence) {
        case "present":
          return { digest: state.digest, presence: Presence.PRESENT };
        case "mounted":
          return { digest: state.digest, presence: Presence.MOUNTED };
        case "missing":
          return { digest: state.digest, presence: Presence.MISSING, offset: BigInt(state.offset) };
      }
    }),
    heldUntil: timestampFromMs(heldUntil),
  };
}

export async function push(
  content: Pusher,
  request: PushRequest,
  context: HandlerContext,
): Promise<MessageInitShape<typeof PushResponseSchema>> {
  const { data } = request;
  const fields = new FieldReader();
  const target = targetOf(fields, request, 0n);
  fields.done();
  const { digest, size } = target.descriptor;
  if (size > MAX_PUSH_BYTES)
    throw new DescryError("CONTENT_TOO_LARGE", `${size} bytes are more than one call takes; use PushStream`, {
      digest,
      metadata: { size: String(size), limit: String(MAX_PUSH_BYTES), use: "PushStream" },
    });
  if (data.byteLength !== size)
    throw new DescryError("SIZE_MISMATCH", `data has ${data.byteLength} bytes, desc.size says ${size}`, {
      digest,
      metadata: { size: String(size) },
      violations: [{ field: "data", description: `has ${data.byteLength} bytes instead of ${size}` }],
    });
  const receipt = await blaming(pushFields, content.push(target, once(data), callOf(context)));
  return { receipt: receiptToWire(receipt) };
}

export async function pushStream(
  content: Pusher,
  messages: AsyncIterable<PushStreamRequest>,
  context: HandlerContext,
): Promise<MessageInitShape<typeof PushStreamResponseSchema>> {
  const incoming = context.values.get(incomingKey);
  incoming?.want();
  const iterator = messages[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true || first.value.part.case !== "header")
    throw DescryError.field("header", "is missing: the first message says what comes");
  const header = first.value.part.value;
  const fields = new FieldReader("header.");
  const target = targetOf(fields, header, header.offset);
  fields.done();
  const receipt = await blaming(streamFields, content.push(target, dataOf(iterator, incoming), callOf(context)));
  return { receipt: receiptToWire(receipt) };
}

/** The fields to blame where content is not what its descriptor says. */
const pushFields = {
  DIGEST_UNSUPPORTED: "desc.digest",
  DIGEST_MISMATCH: "desc.digest",
  SIZE_MISMATCH: "desc.size",
  MANIFEST_INVALID: "data",
} as const;
const streamFields = {
  DIGEST_UNSUPPORTED: "header.desc.digest",
  DIGEST_MISMATCH: "header.desc.digest",
  SIZE_MISMATCH: "header.desc.size",
  MANIFEST_INVALID: "data",
} as const;

function targetOf(fields: FieldReader, request: PushRequest | PushHeader, from: bigint): PushTarget {
  const reference = fields.targetReference("ref", request.ref);
  const descriptor = fields.descriptor("desc", request.desc);
  const kind = fields.target(request.kind, reference, descriptor);
  const condition = fields.condition("if_current", request.ifCurrent, reference);
  const offset = fields.bytes("offset", from);
  return { reference, descriptor, kind, offset, ...(condition === undefined ? {} : { condition }) };
}

/** The bytes of a stream after its header. */
async function* dataOf(
  messages: AsyncIterator<PushStreamRequest>,
  incoming: UnsplicedBody | undefined,
): AsyncGenerator<Uint8Array> {
  for (let step = await messages.next(); step.done !== true; step = await messages.next()) {
    const { part } = step.value;
    if (part.case === "header") throw DescryError.field("header", "comes twice");
    if (part.case !== "data") continue;
    const pieces = part.value.byteLength > 0 ? [part.value] : (incoming?.take() ?? []);
    const bytes = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (bytes > MAX_PUSH_BYTES)
      throw DescryError.field("data", `has ${bytes} bytes; at most ${MAX_PUSH_BYTES} a message`);
    yield* pieces;
  }
}

async function* once(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data;
}
