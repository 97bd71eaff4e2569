import { readFile } from "node:fs/promises";
import { createAuthenticator } from "../config/authenticator.ts";
import { type Config, type Flags, loadConfig } from "../config/config.ts";
import { createDescry } from "../sdk/index.ts";
import { parseListen } from "../server/address.ts";
import type { TlsOptions } from "../server/listen.ts";
import { startServer } from "../server/server.ts";
import { seedDemo } from "./demo.ts";
import { openContent, openEmbedded } from "./embedded.ts";
import { type Io, writeLine } from "./io.ts";

export interface ServeFlags extends Flags {
  readonly demo?: boolean;
}

/** `descry serve`: until SIGTERM or SIGINT, then in good order. */
export async function serve(io: Io, flags: ServeFlags): Promise<void> {
  const config = await loadConfig(flags, io.env);
  const log = (line: object): void => void io.stderr.write(`${JSON.stringify(line)}\n`);
  const content = await openContent(config);
  try {
    const server = await startServer({
      listen: config.listen.map(parseListen),
      routes: content.routes,
      authenticate: createAuthenticator(config.callers),
      callers: config.callers.length > 0,
      insecureAllowAnonymous: config.insecureAllowAnonymous,
      allowedHosts: config.allowedHosts,
      allowedOrigins: config.corsOrigins,
      limits: limitsOf(config),
      log,
      ...(config.tls === undefined ? {} : { tls: await readTls(config.tls) }),
    });
    try {
      // Not ready before it is the one server of this data directory, and has what it is to show.
      server.setReady(false);
      const [address = ""] = server.addresses;
      await content.lead(address, log);
      if (flags.demo === true) await seed(config);
      server.setReady(true);
      await announce(io, server.addresses, flags.demo === true);
      await stopped(io.signal);
    } finally {
      await server.drain();
    }
  } finally {
    await content.close();
  }
}

async function announce(io: Io, addresses: readonly string[], demo: boolean): Promise<void> {
  const [address = ""] = addresses;
  const service = "descry.v1.ContentService/Resolve";
  const curl = address.startsWith("unix://")
    ? `curl --unix-socket ${address.slice("unix://".length)} http://localhost/${service}`
    : `curl ${address}/${service}`;
  const body = `-H 'content-type: application/json' -d '{"ref":"descry.local/hello:latest"}'`;
  await writeLine(io.stderr, `descry serves on ${addresses.join(", ")}${demo ? `; try: ${curl} ${body}` : ""}`);
}

async function seed(config: Config): Promise<void> {
  const embedded = await openEmbedded(config);
  try {
    await seedDemo(createDescry({ transport: embedded.transport }));
  } finally {
    await embedded.close();
  }
}

async function readTls({ cert, key }: NonNullable<Config["tls"]>): Promise<TlsOptions> {
  return { cert: await readFile(cert), key: await readFile(key) };
}

function limitsOf({ drainMs, maxConnections }: Config): {
  readonly drainMs?: number;
  readonly maxConnections?: number;
} {
  return {
    ...(drainMs === undefined ? {} : { drainMs }),
    ...(maxConnections === undefined ? {} : { maxConnections }),
  };
}

async function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
