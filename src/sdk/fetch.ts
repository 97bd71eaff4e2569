import { verifyBytes } from "../oci/verifier.ts";
import { ask, type Context } from "./call.ts";
import { checkIdentity, type ContentOptions, contentRequest, wantedOf } from "./content-request.ts";
import type { Fetched } from "./results.ts";
import { broken, bytesFromWire, descriptorFromWire, freshnessFromWire, sizeFromWire } from "./values.ts";

export type FetchOptions = ContentOptions;

export async function fetch(context: Context, ref: string, options: FetchOptions = {}): Promise<Fetched> {
  const wanted = wantedOf(ref, options);
  const { offset, length } = wanted;
  const answer = await ask(context, options, (request) =>
    context.wire.fetch({ ...contentRequest(ref, options), offset: BigInt(offset), length: BigInt(length) }, request),
  );
  const desc = descriptorFromWire(answer.desc);
  checkIdentity(wanted, desc);
  if (sizeFromWire(answer.offset) !== offset) broken(`offset ${answer.offset} instead of ${offset}`);
  const data = bytesFromWire(answer.data);
  const whole = offset === 0 && (length === 0 || length >= desc.size);
  if (whole) verifyBytes(data, desc, "data_loss");
  else {
    const rest = Math.max(0, desc.size - offset);
    const due = length === 0 ? rest : Math.min(length, rest);
    if (data.byteLength !== due) broken(`${data.byteLength} bytes instead of ${due}`);
  }
  return {
    ref: answer.ref,
    desc,
    pinnedRef: answer.pinnedRef,
    freshness: freshnessFromWire(answer.freshness),
    offset,
    data,
    verified: whole || answer.verified,
  };
}
