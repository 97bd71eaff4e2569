import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { ContentRemover } from "../../content/registry.ts";
import type { DeleteRequest, DeleteResponseSchema } from "../../gen/descry/v1/content_service_pb.ts";
import { DescryError, type Reason } from "../../oci/errors.ts";
import { formatReference } from "../../oci/reference.ts";
import { FieldReader } from "../validate.ts";
import { callOf } from "./call.ts";

/** What `allow_missing` turns into a success. */
const missing: ReadonlySet<Reason | undefined> = new Set<Reason>([
  "REPOSITORY_UNKNOWN",
  "TAG_UNKNOWN",
  "CONTENT_UNKNOWN",
]);

export async function remove(
  content: ContentRemover,
  request: DeleteRequest,
  context: HandlerContext,
): Promise<MessageInitShape<typeof DeleteResponseSchema>> {
  const fields = new FieldReader();
  const reference = fields.reference("ref", request.ref);
  const kind = fields.kind("kind", request.kind, "manifest");
  const condition = fields.condition("if_current", request.ifCurrent, reference);
  // A reference that cannot be read has been told of: the first violation of a field counts.
  if ((reference.tag === undefined) === (reference.digest === undefined))
    fields.violate("ref", "is repository:tag or repository@digest, and not both: say which is to go");
  fields.done();
  const ref = formatReference(reference);
  try {
    const { digest, tags, namedBy } = await content.remove(
      { reference, kind, dryRun: request.validateOnly, ...(condition === undefined ? {} : { condition }) },
      callOf(context),
    );
    return { ref, deleted: true, digest, tags: [...tags], namedBy: [...namedBy] };
  } catch (error) {
    if (request.allowMissing && error instanceof DescryError && missing.has(error.reason)) return { ref };
    throw error;
  }
}
