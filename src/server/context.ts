import { type ContextKey, createContextKey } from "@connectrpc/connect";
import { type Caller, createCaller } from "../content/caller.ts";

/** The caller of a call, put there by the gate before a byte of the body is read. */
export const callerKey: ContextKey<Caller> = createContextKey<Caller>(createCaller("nobody", []), {
  description: "who makes the call",
});

/** The call's X-Request-Id. */
export const requestIdKey: ContextKey<string> = createContextKey("", { description: "X-Request-Id" });
