import { parseDigest } from "../oci/digest.ts";
import { DescryError } from "../oci/errors.ts";
import { ask, type Context } from "./call.ts";
import type { PushOptions } from "./push-options.ts";
import { pushStream } from "./push-stream.ts";
import type { Receipt } from "./results.ts";
import { type ContentName, nameSource, type PushSource, readAll } from "./source.ts";
import { conditionToWire, descriptorToWire, kindToWire, receiptFromWire } from "./values.ts";

/** Most bytes that go in one message (content_service.proto, Push): 4 MiB. Larger content streams. */
const MAX_PUSH_BYTES = 4 * 1024 * 1024;

export async function push(
  context: Context,
  ref: string,
  source: PushSource,
  options: PushOptions = {},
): Promise<Receipt> {
  const desc = await contentName(source, options);
  if (desc.size > MAX_PUSH_BYTES) {
    if (context.streamsRequests) return await pushStream(context, ref, source, desc, options);
    throw new DescryError(
      "UNSUPPORTED",
      `${desc.size} bytes cannot be pushed from here: browsers cannot stream a request, and one message holds ${MAX_PUSH_BYTES}`,
      { op: "Push", digest: desc.digest },
    );
  }
  const data = await readAll(source, desc);
  const fields = {
    desc: descriptorToWire(desc),
    ...conditionToWire(options.ifCurrent),
    kind: kindToWire(options.kind),
  };
  const answer = await ask(context, options, (request) => context.wire.push({ ref, ...fields, data }, request));
  options.onProgress?.({ digest: desc.digest, offset: desc.size, total: desc.size });
  return receiptFromWire(answer.receipt);
}

async function contentName(source: PushSource, options: PushOptions): Promise<ContentName> {
  const { descriptor } = options;
  if (descriptor === undefined)
    return await nameSource(source, options.mediaType ?? "", options.algorithm ?? "sha256", options.signal);
  parseDigest(descriptor.digest, "descriptor.digest");
  return descriptor;
}
