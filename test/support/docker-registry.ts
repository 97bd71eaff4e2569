import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A running docker-registry (distribution 2.8), as Debian ships it. */
export interface DockerRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts `program` on a free loopback port, with its content and configuration in `directory`. */
export async function startDockerRegistry(program: string, directory: string): Promise<DockerRegistry> {
  await mkdir(directory, { recursive: true });
  const config = join(directory, "config.json");
  // YAML of which this is JSON: https://distribution.github.io/distribution/about/configuration/
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
  const child = spawn(program, ["serve", config], { stdio: ["ignore", "ignore", "pipe"] });
  const host = await listening(child);
  child.stderr.resume();
  return {
    host,
    pid: child.pid ?? 0,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const closed = once(child, "close");
      child.kill("SIGTERM");
      await closed;
    },
  };
}

/** The address it logs once it listens: it chose the port. */
async function listening(child: ChildProcess & { readonly stderr: NodeJS.ReadableStream }): Promise<string> {
  const seen: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    seen.push(line);
    const host = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (host !== undefined) return host;
  }
  throw new Error(`docker-registry did not start:\n${seen.join("\n")}`);
}
