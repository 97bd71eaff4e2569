import { type ContextKey, createContextKey } from "@connectrpc/connect";

/** How a call ended: a Connect code in wire spelling, or "ok". */
export interface Outcome {
  readonly code: string;
  /** ErrorReason without its prefix, or the front's own reason. */
  readonly reason?: string;
}

/** What is learnt about one HTTP request while it is served; the access log is written from it. */
export class Call {
  readonly requestId: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly peer: string;
  /** It came over a unix socket. */
  readonly unix: boolean;
  /** Set by the gate: connect, grpc or grpc-web. */
  protocol = "http";
  /** Set by the gate: who calls. */
  caller = "";
  /** Set by the gate: aborts when the call ends in any way; its reason tells how. */
  signal: AbortSignal | undefined;
  messagesIn = 0;
  messagesOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  outcome: Outcome | undefined;
  /** What went wrong in here, for the log only. */
  fault: unknown;

  constructor(init: Pick<Call, "requestId" | "startedAt" | "peer" | "unix">) {
    this.requestId = init.requestId;
    this.startedAt = init.startedAt;
    this.peer = init.peer;
    this.unix = init.unix;
  }
}

/** The record of the HTTP request a call came in; undefined where there is none (the embedded CLI). */
export const callKey: ContextKey<Call | undefined> = createContextKey<Call | undefined>(undefined, {
  description: "record of the HTTP request",
});
