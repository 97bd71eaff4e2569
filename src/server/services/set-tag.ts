import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { TagKeeper } from "../../content/registry.ts";
import type { SetTagRequest, SetTagResponseSchema } from "../../gen/descry/v1/content_service_pb.ts";
import { FieldReader } from "../validate.ts";
import { callOf } from "./call.ts";
import { receiptToWire } from "./values.ts";

export async function setTag(
  content: TagKeeper,
  request: SetTagRequest,
  context: HandlerContext,
): Promise<MessageInitShape<typeof SetTagResponseSchema>> {
  const fields = new FieldReader();
  const reference = fields.reference("ref", request.ref);
  const digest = fields.requiredDigest("digest", request.digest);
  const condition = fields.condition("if_current", request.ifCurrent, reference);
  // A reference that cannot be read has been told of: the first violation of a field counts.
  if (reference.tag === undefined || reference.digest !== undefined)
    fields.violate("ref", "is repository:tag, without a digest");
  fields.done();
  return { receipt: receiptToWire(await content.setTag(reference, digest, condition, callOf(context))) };
}
