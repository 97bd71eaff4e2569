import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { Content } from "../../content/router.ts";
import { type CopyRequest, type CopyResponse, CopyResponseSchema } from "../../gen/descry/v1/content_service_pb.ts";
import { TransferState } from "../../gen/descry/v1/types_pb.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { FieldReader } from "../validate.ts";
import { blaming } from "./blame.ts";
import { callOf } from "./call.ts";
import { MAX_PIN_ID_BYTES, refusePin } from "./read.ts";
import { descriptorToWire, receiptToWire } from "./values.ts";

/** The fields to blame where content is not what the request says. */
const copyFields = { SIZE_MISMATCH: "desc.size", MANIFEST_INVALID: "kind" } as const;

/** How a copy ends, as progress. */
const ends = {
  created: TransferState.DONE,
  existed: TransferState.EXISTED,
  mounted: TransferState.MOUNTED,
} as const;

export async function* copy(
  content: Content,
  request: CopyRequest,
  context: HandlerContext,
): AsyncGenerator<CopyResponse> {
  const fields = new FieldReader();
  const source = fields.reference("source_ref", request.sourceRef);
  const target = fields.targetReference("target_ref", request.targetRef);
  const descriptor = request.desc === undefined ? undefined : fields.descriptor("desc", request.desc);
  const condition = fields.condition("if_current", request.ifCurrent, target);
  // Where the media type is not known yet, the rest is asked below.
  if (descriptor === undefined || descriptor.mediaType === "") fields.kind("kind", request.kind, "manifest");
  else fields.target(request.kind, target, descriptor, "target_ref");
  fields.text("pin_id", request.pinId, MAX_PIN_ID_BYTES);
  fields.done();
  refusePin(request.pinId);
  const wanted = {
    source,
    target,
    ...(descriptor === undefined ? {} : { descriptor }),
    kind: (found: Descriptor) => {
      const late = new FieldReader();
      const kind = late.target(request.kind, target, found, "target_ref");
      late.done();
      return kind;
    },
    ...(condition === undefined ? {} : { condition }),
  };
  const receipt = await blaming(copyFields, content.copy(wanted, callOf(context)));
  const progress = {
    desc: descriptorToWire(receipt.descriptor),
    state: ends[receipt.outcome],
    offset: BigInt(receipt.descriptor.size),
  };
  yield create(CopyResponseSchema, { part: { case: "progress", value: progress } });
  yield create(CopyResponseSchema, { part: { case: "receipt", value: receiptToWire(receipt) } });
}
