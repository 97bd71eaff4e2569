import { type Descry, descryOver } from "../descry.ts";
import type { ClientOptions } from "../options.ts";
import { openChannel } from "../transport-node.ts";
import type { NodeChannelOptions } from "./endpoint.ts";

export interface NodeDescryOptions extends ClientOptions, NodeChannelOptions {
  /** http://host:port, https://host:port or unix:///path. */
  readonly baseUrl: string;
}

/** A client with Node's own options: HTTP/2 and TLS. Unix sockets work with createDescry too. */
export function createNodeDescry(options: NodeDescryOptions): Descry {
  return descryOver(openChannel(options.baseUrl, options), options);
}
