import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import type { Settings } from "./settings.ts";

/** What every measurement is given. */
export interface Bench {
  readonly settings: Settings;
  /** An empty directory for this measurement; gone afterwards. */
  readonly directory: string;
  /** Programs to compare with; undefined where Debian's packages are not installed. */
  readonly skopeo: string | undefined;
  readonly dockerRegistry: string | undefined;
}

/** The built program: what users start. */
export const descryMain: string = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** Where a server that was started in `home` keeps its data. */
export function dataDirectory(home: string): string {
  return join(home, "data");
}

/** Starts `descry serve`, with its data and its log in `home`. It announces its URL. */
export async function startDescry(home: string): Promise<ServerProcess> {
  await mkdir(home, { recursive: true });
  return startServerProcess({
    program: process.execPath,
    args: [descryMain, "serve", "--listen", "http://127.0.0.1:0", "--data-dir", dataDirectory(home)],
    log: join(home, "serve.log"),
    announces: /descry serves on (http:\/\/127\.0\.0\.1:\d+)/,
  });
}
