import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { debian } from "../support/debian.ts";
import type { Bench } from "./bench.ts";
import { benchMemory } from "./memory.ts";
import { benchResolve } from "./resolve.ts";
import { readSettings } from "./settings.ts";
import { benchStartup } from "./startup.ts";
import { benchStreams } from "./streams.ts";

/**
 * `npm run bench [-- --quick] [resolve|streams|memory|startup …]`: descry beside its neighbours in one run, on
 * loopback, each server in a process of its own. Tables in Markdown.
 */

const measurements: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  resolve: benchResolve,
  streams: benchStreams,
  memory: benchMemory,
  startup: benchStartup,
};

const args = process.argv.slice(2);
const wanted = args.filter((arg) => arg !== "--quick");
const unknown = wanted.find((name) => !Object.hasOwn(measurements, name));
if (unknown !== undefined)
  throw new Error(`${unknown}: give --quick or some of ${Object.keys(measurements).join(", ")}`);

const settings = readSettings(args.includes("--quick"));
const skopeo = await debian("skopeo");
const dockerRegistry = await debian("docker-registry");
console.log(`Node ${process.version}, ${availableParallelism()} cores, ${cpus()[0]?.model ?? "unknown CPU"}`);
for (const [name, measure] of Object.entries(measurements)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const directory = await mkdtemp(join(tmpdir(), `descry-bench-${name}-`));
  try {
    await measure({ settings, directory, skopeo, dockerRegistry });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
