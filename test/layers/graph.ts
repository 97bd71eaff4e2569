import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Import, importsOf } from "./imports.ts";

/** The repository's directory. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Edge {
  /** A source file, `src/oci/digest.ts`; else a module of Node, `node:fs`, or a package, `@connectrpc/connect`. */
  readonly to: string;
  readonly when: Import["when"];
}

/** What each source file imports. */
export type Graph = ReadonlyMap<string, readonly Edge[]>;

/** Where the package imports (`#hash`) lead: on Node, or in what a bundler makes for browsers. */
export type Platform = "node" | "browser";

/** The graph of src, as the `imports` of package.json resolve on that platform. */
export function readGraph(platform: Platform): Graph {
  const ports = portsOf(readFileSync(join(root, "package.json"), "utf8"), platform);
  const files = globSync("src/**/*.ts", { cwd: root, exclude: ["**/*.d.ts"] }).sort();
  return new Map(
    files.map((file) => {
      const imports = importsOf(readFileSync(join(root, file), "utf8"));
      return [file, imports.map(({ specifier, when }) => ({ to: resolve(file, specifier, ports), when }))];
    }),
  );
}

function resolve(file: string, specifier: string, ports: ReadonlyMap<string, string>): string {
  if (specifier.startsWith(".")) return join(dirname(file), specifier);
  if (!specifier.startsWith("#")) return packageOf(specifier);
  const target = ports.get(specifier);
  if (target === undefined) throw new Error(`${file}: package.json has no source for ${specifier}`);
  return target;
}

/** `@connectrpc/connect` of `@connectrpc/connect/protocol`; a module of Node keeps its path. */
function packageOf(specifier: string): string {
  if (specifier.startsWith("node:")) return specifier;
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function portsOf(packageJson: string, platform: Platform): ReadonlyMap<string, string> {
  const { imports } = JSON.parse(packageJson) as {
    readonly imports: Readonly<
      Record<string, { readonly "descry-source": string; readonly browser: { readonly "descry-source": string } }>
    >;
  };
  return new Map(
    Object.entries(imports).map(([name, conditions]) => {
      const source = platform === "browser" ? conditions.browser["descry-source"] : conditions["descry-source"];
      return [name, join(source)];
    }),
  );
}

/** All that loading `from` loads, files and packages, each with the path that leads there. */
export function reachable(
  graph: Graph,
  from: string,
  follow: readonly Import["when"][],
): ReadonlyMap<string, readonly string[]> {
  if (!graph.has(from)) throw new Error(`there is no ${from}`);
  const paths = new Map([[from, [from]]]);
  // A map is iterated in the order of insertion, what is inserted meanwhile included.
  for (const [file, path] of paths)
    for (const { to, when } of graph.get(file) ?? [])
      if (follow.includes(when) && !paths.has(to)) paths.set(to, [...path, to]);
  return paths;
}

/** A shortest cycle through each file that lies on one and was not in a cycle before. */
export function cycles(graph: Graph, follow: readonly Import["when"][]): readonly (readonly string[])[] {
  const known = new Set<string>();
  const found: (readonly string[])[] = [];
  for (const [file, edges] of graph) {
    if (known.has(file)) continue;
    const back = edges
      .filter(({ to, when }) => follow.includes(when) && graph.has(to))
      .map(({ to }) => reachable(graph, to, follow).get(file))
      .filter((path) => path !== undefined)
      .sort((a, b) => a.length - b.length)[0];
    if (back === undefined) continue;
    for (const member of back) known.add(member);
    found.push([file, ...back]);
  }
  return found;
}
