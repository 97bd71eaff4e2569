import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { Content } from "../../content/router.ts";
import { type CopyRequest, type CopyResponse, CopyResponseSchema } from "../../gen/descry/v1/content_service_pb.ts";
import { FieldReader } from "../validate.ts";
import { callOf } from "./call.ts";
import { refusePin } from "./read.ts";
import { receiptToWire } from "./values.ts";

export async function* copy(
  content: Content,
  request: CopyRequest,
  context: HandlerContext,
): AsyncGenerator<CopyResponse> {
  const fields = new FieldReader();
  const source = fields.reference("source_ref", request.sourceRef);
  const target = fields.reference("target_ref", request.targetRef);
  const descriptor = request.desc === undefined ? undefined : fields.descriptor("desc", request.desc);
  const condition = fields.condition("if_current", request.ifCurrent, target);
  fields.done();
  refusePin(request.pinId);
  const receipt = await content.copy(
    {
      source,
      target,
      ...(descriptor === undefined ? {} : { descriptor }),
      // What it is may be known only now.
      kind: (found) => {
        const late = new FieldReader();
        const kind = late.target(request.kind, target, found, "target_ref");
        late.done();
        return kind;
      },
      ...(condition === undefined ? {} : { condition }),
    },
    callOf(context),
  );
  yield create(CopyResponseSchema, { part: { case: "receipt", value: receiptToWire(receipt) } });
}
