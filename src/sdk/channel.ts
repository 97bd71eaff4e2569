import type { Transport } from "@connectrpc/connect";

/** A way to a server: a transport, and what has to be known about it. */
export interface Channel {
  readonly transport: Transport;
  /** Requests can be streamed. Browsers cannot (connect-es #669): content above one message cannot be pushed there. */
  readonly streamsRequests: boolean;
  /** Streamed bytes pass encoder and decoder by, as src/wire describes. */
  readonly splices: boolean;
  /** Closes its connections; running calls fail. */
  close(): void;
}
