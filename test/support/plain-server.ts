import * as http from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ContentService } from "../../src/gen/descry/v1/content_service_pb.ts";
import { createMemoryRegistry, type MemoryRegistry } from "./memory-registry.ts";

/** A bare Connect server over HTTP/1.1, for tests of clients: it can be made to misbehave. */
export interface PlainServer {
  readonly url: string;
  readonly registry: MemoryRegistry;
  /** Requests as they came: method path, and headers. */
  readonly requests: readonly { readonly path: string; readonly headers: http.IncomingHttpHeaders }[];
  /** Breaks all connections, as a crash or a cable would. */
  cut(): void;
  close(): Promise<void>;
}

/** Methods to answer otherwise than the well-behaved registry does. */
export type Misbehaviour = (registry: MemoryRegistry, cut: () => void) => Partial<ServiceImpl<typeof ContentService>>;

export async function startPlainServer(
  misbehave: Misbehaviour = () => ({}),
  socketPath?: string,
): Promise<PlainServer> {
  const registry = createMemoryRegistry();
  const sockets = new Set<Socket>();
  const requests: { path: string; headers: http.IncomingHttpHeaders }[] = [];
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const handler = connectNodeAdapter({
    routes: (router) => void router.service(ContentService, { ...registry.service, ...misbehave(registry, cut) }),
  });
  const server = http.createServer((request, response) => {
    requests.push({ path: request.url ?? "", headers: request.headers });
    handler(request, response);
  });
  // What a client leaves open stays open, so that a test sees it.
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => {
    if (socketPath === undefined) server.listen(0, "127.0.0.1", resolve);
    else server.listen(socketPath, resolve);
  });
  const address = server.address();
  return {
    url: typeof address === "string" ? `unix://${address}` : `http://127.0.0.1:${(address as AddressInfo).port}`,
    registry,
    requests,
    cut,
    close: async () => {
      await new Promise((resolve) => {
        server.close(resolve);
        cut();
      });
    },
  };
}
