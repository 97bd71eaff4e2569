import { describe, expect, it } from "vitest";
import { cycles, type Edge, type Graph, reachable, readGraph } from "./graph.ts";

/** A graph from lines `file -> file file`; `~file` is imported lazily, `?file` for its types. */
function graph(...lines: readonly string[]): Graph {
  const edge = (text: string): Edge => {
    const when = text.startsWith("~") ? "lazy" : text.startsWith("?") ? "type" : "static";
    return { to: text.replace(/^[~?]/, ""), when };
  };
  return new Map(
    lines.map((line) => {
      const [file = "", targets = ""] = line.split(" -> ");
      return [file, targets.split(" ").filter(Boolean).map(edge)];
    }),
  );
}

describe("reachable", () => {
  const files = graph("a -> b ~c ?d", "b -> e", "c -> pkg", "d ->", "e -> b");

  it("follows the imports that it is told to, and says on which path", () => {
    expect([...reachable(files, "a", ["static"])]).toStrictEqual([
      ["a", ["a"]],
      ["b", ["a", "b"]],
      ["e", ["a", "b", "e"]],
    ]);
    expect(reachable(files, "a", ["static", "lazy"]).get("pkg")).toStrictEqual(["a", "c", "pkg"]);
    expect(reachable(files, "a", ["type"]).has("d")).toBe(true);
  });

  it("does not start from a file that is not there", () => {
    expect(() => reachable(files, "pkg", ["static"])).toThrow("there is no pkg");
  });
});

describe("cycles", () => {
  it("finds the shortest through each file that was not in one before", () => {
    const files = graph("a -> b c", "b -> c", "c -> a", "d -> d", "e -> ~f", "f -> ?e e", "g -> a");
    expect(cycles(files, ["static"])).toStrictEqual([
      ["a", "c", "a"],
      ["b", "c", "a", "b"],
      ["d", "d"],
    ]);
    expect(cycles(files, ["static", "lazy"])).toContainEqual(["e", "f", "e"]);
    expect(cycles(graph("a -> b", "b -> ?a"), ["static", "lazy"])).toStrictEqual([]);
  });
});

describe("readGraph", () => {
  it("leads the package imports to the file of each platform", () => {
    const targets = (platform: "node" | "browser"): readonly string[] =>
      (readGraph(platform).get("src/oci/verifier.ts") ?? []).map(({ to }) => to);
    expect(targets("node")).toContain("src/oci/hash-node.ts");
    expect(targets("browser")).toContain("src/oci/hash-web.ts");
  });
});
