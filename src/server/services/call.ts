import type { HandlerContext } from "@connectrpc/connect";
import type { Call } from "../../content/registry.ts";
import { callerKey } from "../context.ts";

/** The call as the content room knows it. */
export function callOf(context: HandlerContext): Call {
  return { caller: context.values.get(callerKey), signal: context.signal };
}
