import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Presence } from "../gen/descry/v1/content_service_pb.ts";
import { ask, type Context } from "./call.ts";
import type { CallOptions } from "./options.ts";
import type { Prepared, PushState } from "./results.ts";
import type { ContentName } from "./source.ts";
import { broken, descriptorToWire, digestFromWire, sizeFromWire } from "./values.ts";

export interface PreparePushOptions extends CallOptions {
  /** Repositories of the same registry that may hold the blobs, best first, up to 8. */
  readonly mountFrom?: readonly string[];
}

/** Most descriptors of one PreparePush (content_service.proto). */
const PAGE = 256;

const presences: Readonly<Record<number, PushState["presence"]>> = {
  [Presence.PRESENT]: "present",
  [Presence.MOUNTED]: "mounted",
  [Presence.MISSING]: "missing",
};

/** Asks in pages of 256; `heldUntil` is the earliest of them. */
export async function preparePush(
  context: Context,
  repository: string,
  descriptors: readonly ContentName[],
  options: PreparePushOptions = {},
): Promise<Prepared> {
  const states: PushState[] = [];
  let heldUntil: Date | undefined;
  for (let start = 0; start < descriptors.length; start += PAGE) {
    const page = descriptors.slice(start, start + PAGE);
    const answer = await ask(context, options, (request) =>
      context.wire.preparePush(
        { repository, descs: page.map(descriptorToWire), mountFrom: [...(options.mountFrom ?? [])] },
        request,
      ),
    );
    if (answer.states.length !== page.length) broken(`${answer.states.length} states for ${page.length} descriptors`);
    for (const { digest, presence, offset } of answer.states)
      states.push({
        digest: digestFromWire(digest),
        presence: presences[presence] ?? broken(`presence ${presence}`),
        offset: sizeFromWire(offset),
      });
    const held = answer.heldUntil === undefined ? undefined : timestampDate(answer.heldUntil);
    if (held !== undefined && (heldUntil === undefined || held < heldUntil)) heldUntil = held;
  }
  return { states, ...(heldUntil === undefined ? {} : { heldUntil }) };
}
