import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cliArguments } from "../support/cli.ts";
import { startServerProcess } from "../support/server-process.ts";

/** A descry as people start it, with the demo's image, and a directory for one test file. */
export interface RunningDescry {
  /** http://127.0.0.1:PORT */
  readonly http: string;
  /** Path of its unix socket. */
  readonly socket: string;
  /** For whatever the test file writes; gone after stop. */
  readonly directory: string;
  stop(): Promise<void>;
}

export async function startDescry(): Promise<RunningDescry> {
  const directory = await mkdtemp(join(tmpdir(), "descry-interop-"));
  const socket = join(directory, "descry.sock");
  const listen = ["--listen", "http://127.0.0.1:0", "--listen", `unix://${socket}`];
  try {
    const server = await startServerProcess({
      program: process.execPath,
      args: [...cliArguments, "serve", "--demo", ...listen, "--data-dir", join(directory, "data")],
      log: join(directory, "descry.log"),
      announces: /^descry serves on (http:[^,;\s]+)/m,
    });
    const stop = async (): Promise<void> => {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    };
    return { http: server.announced, socket, directory, stop };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}
