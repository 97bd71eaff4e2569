import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP proxy on 127.0.0.1 that breaks connections, as a network would. */
export interface CuttingProxy {
  readonly url: string;
  /** Connections cut so far. */
  readonly cuts: number;
  close(): Promise<void>;
}

export interface Cutting {
  /** Bytes after which a connection is cut, towards the server or towards the client. */
  readonly after: number;
  readonly towards: "server" | "client";
  /** Connections to cut; what comes later passes. */
  readonly times: number;
}

/** A proxy before an http:// URL. What was read up to the cut is passed on; the client sees a reset. */
export async function startCuttingProxy(target: string, { after, towards, times }: Cutting): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const [from, to] = towards === "server" ? [client, upstream] : [upstream, client];
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on("close", () => open.delete(socket));
      socket.on("error", () => undefined);
    }
    let passed = 0;
    from.on("data", (chunk: Buffer) => {
      const left = after - passed;
      passed += chunk.byteLength;
      if (passed <= after || cuts >= times) {
        if (!to.write(chunk)) from.pause();
        return;
      }
      cuts += 1;
      to.write(chunk.subarray(0, Math.max(0, left)), () => {
        upstream.resetAndDestroy();
        client.resetAndDestroy();
      });
      from.pause();
    });
    to.on("drain", () => from.resume());
    from.on("end", () => to.end());
    to.pipe(from);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const)
      one.on("close", () => other.destroySoon());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}`,
    get cuts() {
      return cuts;
    },
    close: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
