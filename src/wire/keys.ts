import { type ContextKey, createContextKey } from "@connectrpc/connect";
import type { SplicedBody } from "./splice.ts";
import type { UnsplicedBody } from "./unsplice.ts";

/** What a call sends past the encoder; undefined where its messages are no binary, or go over no network. */
export const outgoingKey: ContextKey<SplicedBody | undefined> = createContextKey<SplicedBody | undefined>(undefined, {
  description: "bytes that pass the encoder by",
});

/** What a call received past the decoder; undefined as above. */
export const incomingKey: ContextKey<UnsplicedBody | undefined> = createContextKey<UnsplicedBody | undefined>(
  undefined,
  { description: "bytes that passed the decoder by" },
);
