import { createConnectTransport } from "@connectrpc/connect-web";
import type { Channel } from "./channel.ts";

/** The transport port in browsers (package import `#transport`): Connect over fetch. */
export function openChannel(baseUrl: string): Channel {
  return {
    transport: createConnectTransport({ baseUrl, useBinaryFormat: true }),
    streamsRequests: false,
    splices: false,
    close: () => undefined,
  };
}
