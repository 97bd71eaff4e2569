import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

/**
 * Starts a docker-registry (distribution 2.8, as Debian ships it) on a free loopback port, with its content and
 * configuration in `directory`. It announces its `127.0.0.1:PORT`.
 */
export async function startDockerRegistry(program: string, directory: string): Promise<ServerProcess> {
  await mkdir(directory, { recursive: true });
  const config = join(directory, "config.json");
  // JSON is YAML, which it reads: https://distribution.github.io/distribution/about/configuration/
  const settings = {
    version: "0.1",
    log: { level: "info", accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: join(directory, "data") },
      cache: { blobdescriptor: "inmemory" },
      delete: { enabled: true },
    },
    http: { addr: "127.0.0.1:0" },
  };
  await writeFile(config, JSON.stringify(settings));
  return startServerProcess({
    program,
    args: ["serve", config],
    log: join(directory, "registry.log"),
    announces: /listening on (127\.0\.0\.1:\d+)/,
  });
}
