import { once } from "node:events";
import { EventEmitter } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceImpl } from "@connectrpc/connect";
import { anonymousCaller } from "../../src/content/caller.ts";
import { ContentService } from "../../src/gen/descry/v1/content_service_pb.ts";
import type { LogLine } from "../../src/server/access-log.ts";
import { type ListenAddress, parseListen } from "../../src/server/address.ts";
import { type DescryServer, type ServerOptions, startServer } from "../../src/server/server.ts";
import { createMemoryRegistry, type MemoryRegistry } from "./memory-registry.ts";
import { testTls } from "./tls.ts";

/** A server of src/server over a registry in memory, listening on every kind of address. */
export interface TestServer extends DescryServer {
  readonly http: string;
  readonly https: string;
  readonly unix: string;
  readonly registry: MemoryRegistry;
  /** The log so far. */
  readonly lines: readonly LogLine[];
  /** The first line of the log that fits, once it is there. */
  line(fits: (line: LogLine) => boolean): Promise<LogLine>;
  /** Ends all calls at once. */
  stop(): Promise<void>;
}

export interface TestServerOptions extends Partial<ServerOptions> {
  /** Methods to serve otherwise than the registry in memory does. */
  readonly service?: Partial<ServiceImpl<typeof ContentService>>;
}

export async function startTestServer({ service, ...options }: TestServerOptions = {}): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), "descry-"));
  const registry = createMemoryRegistry();
  const lines: LogLine[] = [];
  const news = new EventEmitter();
  const listen: readonly ListenAddress[] = [
    parseListen("http://127.0.0.1:0"),
    parseListen("https://127.0.0.1:0"),
    parseListen(`unix://${folder}/s`),
  ];
  const server = await startServer({
    listen,
    tls: testTls,
    authenticate: () => anonymousCaller,
    routes: (router) => void router.service(ContentService, { ...registry.service, ...service }),
    log: (line) => {
      lines.push(line);
      news.emit("line");
    },
    ...options,
    limits: { drainMs: 0, abortGraceMs: 200, ...options.limits },
  });
  const [http = "", https = "", unix = ""] = server.addresses;
  return {
    ...server,
    http,
    https,
    unix,
    registry,
    lines,
    line: async (fits) => {
      for (;;) {
        const found = lines.find(fits);
        if (found !== undefined) return found;
        await once(news, "line");
      }
    },
    stop: async () => {
      await server.drain();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
