import type { ServerProcess } from "../support/server-process.ts";
import type { Bench } from "./bench.ts";
import type { LoadResult, LoadTask } from "./load.ts";
import { IMAGE_PATH, IMAGE_REF, IMAGE_TAG, type Peers, startPeers } from "./peers.ts";
import { cpuSeconds, runChild } from "./proc.ts";
import { medianBy, printTable, ratio } from "./report.ts";
import type { Settings } from "./settings.ts";

const CONNECTIONS: readonly number[] = [1, 32];
/** A generator that uses more of its core than this may be what limits the rate. */
const GENERATOR_LIMIT = 0.85;
const PATH = "/descry.v1.ContentService/Resolve";

interface Call {
  readonly name: string;
  readonly server: ServerProcess;
  /** First lines of the request, without host. */
  readonly head: string;
  readonly body: string;
}

interface Round extends LoadResult {
  /** Cores the server used. */
  readonly serverCpu: number;
}

/** How often a tag's digest can be asked for: descry's Resolve beside the registry's HEAD of the manifest. */
export async function benchResolve(bench: Bench): Promise<void> {
  const peers = await startPeers(bench);
  if (peers === undefined) {
    console.log("\nresolve: left out, it needs skopeo and docker-registry");
    return;
  }
  try {
    const rows: string[][] = [];
    for (const connections of CONNECTIONS) rows.push(...(await compare(calls(peers), connections, bench.settings)));
    printTable(
      "Warm Resolve of a tag, beside docker-registry's HEAD of the manifest",
      ["call", "connections", "requests/s", "p50 ms", "p99 ms", "server, cores", "generator, cores", "× HEAD"],
      rows,
    );
  } finally {
    await peers.stop();
  }
}

function calls({ descry, registry, image }: Peers): readonly Call[] {
  const message = JSON.stringify({ ref: IMAGE_REF });
  const query = `?encoding=json&connect=v1&message=${encodeURIComponent(message)}`;
  const json = `POST ${PATH} HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: ${message.length}\r\n`;
  return [
    {
      name: "registry HEAD",
      server: registry,
      head: `HEAD /v2/${IMAGE_PATH}/manifests/${IMAGE_TAG} HTTP/1.1\r\naccept: ${image.manifest.mediaType}\r\n`,
      body: "",
    },
    { name: "descry POST, JSON", server: descry, head: json, body: message },
    { name: "descry GET, JSON", server: descry, head: `GET ${PATH}${query} HTTP/1.1\r\n`, body: "" },
  ];
}

/** Rounds of all calls in turn, so that what the machine does meanwhile meets each alike. */
async function compare(all: readonly Call[], connections: number, settings: Settings): Promise<string[][]> {
  const rounds = all.map((): Round[] => []);
  for (let round = 0; round < settings.rounds; round++)
    for (const [i, call] of all.entries()) rounds[i]?.push(await load(call, connections, settings));
  const medians = rounds.map((results) => medianBy(results, ({ perSecond }) => perSecond));
  const head = medians[0]?.perSecond;
  return medians.map((result, i) => [
    all[i]?.name ?? "",
    String(connections),
    result.perSecond.toFixed(0),
    result.p50.toFixed(2),
    result.p99.toFixed(2),
    result.serverCpu.toFixed(2),
    `${result.generatorCpu.toFixed(2)}${result.generatorCpu > GENERATOR_LIMIT ? " (the limit!)" : ""}`,
    ratio(result.perSecond, head),
  ]);
}

async function load(call: Call, connections: number, { loadMs }: Settings): Promise<Round> {
  const { host, hostname, port } = new URL(
    call.server.announced.startsWith("http") ? call.server.announced : `http://${call.server.announced}`,
  );
  const task: LoadTask = {
    host: hostname,
    port: Number(port),
    request: `${call.head}host: ${host}\r\n\r\n${call.body}`,
    status: 200,
    connections,
    warmUpMs: loadMs / 4,
    measureMs: loadMs,
  };
  const cpu = await cpuSeconds(call.server.pid);
  const start = performance.now();
  const result = (await runChild("load.ts", task)) as LoadResult;
  const seconds = (performance.now() - start) / 1000;
  return { ...result, serverCpu: ((await cpuSeconds(call.server.pid)) - cpu) / seconds };
}
