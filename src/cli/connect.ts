import { loadConfig } from "../config/config.ts";
import { createDescry, type Descry } from "../sdk/index.ts";
import type { Io } from "./io.ts";

/** Flags of every command that talks to a registry. */
export interface ClientFlags {
  readonly server?: string;
  readonly dataDir?: string;
  readonly config?: string;
  readonly tokenFile?: string;
}

/** Milliseconds for a call that is no stream. The server gives up after 60 s; more means that it is not there. */
const TIMEOUT_MS = 90_000;

/** Runs `use` with a client of the server that flags, environment or configuration name, else of the embedded registry. */
export async function withDescry<T>(io: Io, flags: ClientFlags, use: (descry: Descry) => Promise<T>): Promise<T> {
  const config = await loadConfig(flags, io.env);
  const { server, token } = config;
  if (server !== undefined) {
    const descry = createDescry({
      baseUrl: server,
      signal: io.signal,
      timeoutMs: TIMEOUT_MS,
      ...(token === undefined ? {} : { token }),
    });
    try {
      return await use(descry);
    } finally {
      descry.close();
    }
  }
  // Only now: a client of a server needs neither the services nor the store.
  const { openEmbedded } = await import("./embedded.ts");
  const embedded = await openEmbedded(config);
  try {
    return await use(createDescry({ transport: embedded.transport, signal: io.signal }));
  } finally {
    await embedded.close();
  }
}
