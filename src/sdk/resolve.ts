import { ask, type Context } from "./call.ts";
import type { CallOptions, FreshnessOptions } from "./options.ts";
import type { Resolution } from "./results.ts";
import { descriptorFromWire, freshnessFromWire, freshnessToWire } from "./values.ts";

export interface ResolveOptions extends CallOptions, FreshnessOptions {}

export async function resolve(context: Context, ref: string, options: ResolveOptions = {}): Promise<Resolution> {
  const answer = await ask(context, options, (request) =>
    context.wire.resolve({ ref, ...freshnessToWire(options) }, request),
  );
  return {
    ref: answer.ref,
    desc: descriptorFromWire(answer.desc),
    pinnedRef: answer.pinnedRef,
    freshness: freshnessFromWire(answer.freshness),
  };
}
