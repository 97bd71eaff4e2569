import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Bench, descryMain } from "./bench.ts";
import { IMAGE_REF, startPeers } from "./peers.ts";
import { medianBy, printTable, ratio } from "./report.ts";

const run = promisify(execFile);

interface Command {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** What its output must contain. */
  readonly prints: string;
}

/** How long one look at an image takes, from start to exit: `descry resolve`, embedded, beside `skopeo inspect`. */
export async function benchStartup(bench: Bench): Promise<void> {
  const peers = await startPeers(bench);
  if (peers === undefined) {
    console.log("\nstartup: left out, it needs skopeo and docker-registry");
    return;
  }
  const { starts } = bench.settings;
  const { skopeo, image, remote, descryData } = peers;
  try {
    // The embedded descry opens the data directory itself.
    await peers.descry.stop();
    const { digest } = image.manifest;
    const resolve = ["resolve", "--data-dir", descryData, IMAGE_REF];
    const commands: readonly Command[] = [
      {
        name: "skopeo inspect, docker-registry",
        program: skopeo,
        args: ["inspect", "--tls-verify=false", remote],
        prints: digest,
      },
      { name: "skopeo inspect, OCI layout", program: skopeo, args: ["inspect", image.name], prints: digest },
      { name: "node, nothing else", program: process.execPath, args: ["-p", "0"], prints: "0" },
      { name: "descry resolve, embedded", program: process.execPath, args: [descryMain, ...resolve], prints: digest },
    ];
    const times = commands.map((): number[] => []);
    for (let start = 0; start < starts; start++)
      for (const [i, command] of commands.entries()) times[i]?.push(await time(command));
    const medians = times.map((all) => medianBy(all, Number));
    printTable(
      `One look at an image, from start to exit, median of ${starts}`,
      ["command", "ms", "× skopeo inspect"],
      commands.map(({ name }, i) => [name, (medians[i] ?? 0).toFixed(0), ratio(medians[i] ?? 0, medians[0])]),
    );
  } finally {
    await peers.stop();
  }
}

async function time({ name, program, args, prints }: Command): Promise<number> {
  const start = performance.now();
  const { stdout } = await run(program, args);
  const milliseconds = performance.now() - start;
  if (!stdout.includes(prints)) throw new Error(`${name} printed no ${prints}:\n${stdout}`);
  return milliseconds;
}
