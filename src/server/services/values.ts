import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Freshness, Receipt } from "../../content/registry.ts";
import {
  ConditionCheck,
  type ContentDescriptorSchema,
  type FreshnessSchema,
  Outcome,
  type ReceiptSchema,
  ServedBy,
} from "../../gen/descry/v1/types_pb.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { formatReference, pinnedReference } from "../../oci/reference.ts";

/** Values of the content room in their wire form. */

export function descriptorToWire(descriptor: Descriptor): MessageInitShape<typeof ContentDescriptorSchema> {
  const { mediaType, digest, size, annotations, artifactType } = descriptor;
  return {
    mediaType,
    digest,
    size: BigInt(size),
    ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

export function freshnessToWire({ observedAt, freshUntil }: Freshness): MessageInitShape<typeof FreshnessSchema> {
  return {
    observedAt: timestampFromMs(observedAt),
    servedBy: ServedBy.STORE,
    ...(freshUntil === undefined ? {} : { freshUntil: timestampFromMs(freshUntil) }),
  };
}

const outcomes: Readonly<Record<Receipt["outcome"], Outcome>> = {
  created: Outcome.CREATED,
  existed: Outcome.EXISTED,
  mounted: Outcome.MOUNTED,
};

export function receiptToWire(receipt: Receipt): MessageInitShape<typeof ReceiptSchema> {
  const { reference, descriptor, outcome, previous = "", check, subject = "" } = receipt;
  return {
    ref: formatReference(reference),
    desc: descriptorToWire(descriptor),
    pinnedRef: pinnedReference(reference, descriptor.digest),
    outcome: outcomes[outcome],
    previousDigest: previous,
    conditionCheck: check === undefined ? ConditionCheck.UNSPECIFIED : ConditionCheck.ATOMIC,
    subjectDigest: subject,
  };
}
