import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cycles, type Edge, type Graph, reachable, readGraph, root } from "./layers/graph.ts";

/** The rooms of src, and what each may import from others: all, or only types, of which nothing is left at run time. */
const rooms: Readonly<Record<string, Readonly<Record<string, "all" | "types">>>> = {
  oci: {},
  gen: {},
  wire: {},
  store: { oci: "all" },
  content: { oci: "all", store: "all" },
  server: { oci: "all", gen: "all", wire: "all", content: "all", store: "types" },
  sdk: { oci: "all", gen: "all", wire: "all" },
  config: { oci: "all", content: "all" },
  cli: { oci: "all", sdk: "all", config: "all" },
  "main.ts": { cli: "all" },
};

/** Where the parts are put together: the files of cli that may see the server's rooms, too. Others load them lazily. */
const compositionRoots: readonly string[] = ["src/cli/serve.ts", "src/cli/embedded.ts", "src/cli/system.ts"];
const serverRooms: readonly string[] = ["server", "content", "store", "gen"];

/** All packages that the SDK may load: in browsers, and on Node (with Node's own modules, but for its database). */
const sdkPackages = {
  browser: ["@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-web", "@noble/hashes"],
  node: ["@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-node"],
} as const;

/** What the command line loads before it knows that it must: main.ts loads process.ts in any case. */
const startUp: readonly string[] = ["src/main.ts", "src/cli/process.ts", "src/cli/resolve.ts"];
/** What only a server needs, and the parsers of what few commands read. */
const notAtStartUp =
  /^(?:src\/(?:server|content|store)\/|node:(?:sqlite|http2?|https)$|undici$|smol-toml$|modern-tar$)/;

const graphs = { node: readGraph("node"), browser: readGraph("browser") };
const everyGraph: readonly Graph[] = Object.values(graphs);
/** What loads a file, sooner or later. Types only are no cycle: nothing is left of them when the program runs. */
const atRunTime = ["static", "lazy"] as const;

/** `oci` of `src/oci/digest.ts`; `main.ts` of `src/main.ts`; undefined for what lies not in src. */
function roomOf(file: string): string | undefined {
  return /^src\/([^/]+)/.exec(file)?.[1];
}

/** All imports of one source file by another of another room, as lines to read in a failure. */
function offences(graph: Graph, offends: (from: string, edge: Edge) => boolean): readonly string[] {
  return [...graph].flatMap(([from, edges]) =>
    edges.filter((edge) => offends(from, edge)).map(({ to, when }) => `${from} -> ${to} (${when})`),
  );
}

describe("the rooms of src", () => {
  it("are those that are listed here", () => {
    const found = new Set([...graphs.node.keys()].map(roomOf));
    expect([...found].filter((room) => room === undefined || !Object.hasOwn(rooms, room))).toStrictEqual([]);
  });

  it("import one another as design.md §2 says", () => {
    const offends = (from: string, { to, when }: Edge): boolean => {
      const [fromRoom = "", toRoom] = [roomOf(from), roomOf(to)];
      if (toRoom === undefined || toRoom === fromRoom) return false;
      if (compositionRoots.includes(from) && serverRooms.includes(toRoom)) return false;
      const allowed = rooms[fromRoom]?.[toRoom];
      return allowed === undefined || (allowed === "types" && when !== "type");
    };
    for (const graph of everyGraph) expect(offences(graph, offends)).toStrictEqual([]);
  });

  it("are a DAG, of which the list above is the proof", () => {
    const edges = Object.entries(rooms).map(([room, may]): [string, readonly Edge[]] => [
      room,
      Object.keys(may).map((to) => ({ to, when: "static" })),
    ]);
    expect(cycles(new Map(edges), ["static"])).toStrictEqual([]);
  });

  it("hold no file that imports itself by a detour", () => {
    for (const graph of everyGraph) expect(cycles(graph, atRunTime)).toStrictEqual([]);
  });

  it("are put together by files that the rest of cli loads lazily", () => {
    const offends = (from: string, { to, when }: Edge): boolean =>
      compositionRoots.includes(to) && !compositionRoots.includes(from) && when === "static";
    expect(offences(graphs.node, offends)).toStrictEqual([]);
  });
});

describe("the SDK", () => {
  it.each([
    ["src/sdk/index.ts", "browser", () => false],
    ["src/sdk/index.ts", "node", (module: string) => module.startsWith("node:") && module !== "node:sqlite"],
    ["src/sdk/node/index.ts", "node", (module: string) => module.startsWith("node:") && module !== "node:sqlite"],
  ] as const)("%s loads on %s only the packages that it may", (entry, platform, isAllowed) => {
    const packages: readonly string[] = sdkPackages[platform];
    const loaded = [...reachable(graphs[platform], entry, atRunTime)];
    const others = loaded.filter(([to]) => !to.startsWith("src/") && !packages.includes(to) && !isAllowed(to));
    expect(others.map(([, path]) => path.join(" -> "))).toStrictEqual([]);
  });

  it("compiles for browsers, with all of oci, where nobody has heard of Node", () => {
    const tsc = [join(root, "node_modules/typescript/bin/tsc"), "-p", "test/layers/browser.tsconfig.json"];
    const { stdout, stderr } = spawnSync(process.execPath, tsc, { cwd: root, encoding: "utf8" });
    expect(stdout + stderr).toBe("");
  });
});

describe("the command line", () => {
  it.each(startUp)("does not load what a server needs with %s", (entry) => {
    const loaded = [...reachable(graphs.node, entry, ["static"])];
    expect(loaded.filter(([to]) => notAtStartUp.test(to)).map(([, path]) => path.join(" -> "))).toStrictEqual([]);
  });
});
