import { describe, expect, it } from "vitest";
import { type Import, importsOf } from "./imports.ts";

describe("importsOf", () => {
  it.each<[source: string, expected: Import["when"], specifier?: string]>([
    ['import "a";', "static"],
    ['import b from "a";', "static"],
    ['import * as b from "a";', "static"],
    ['import { b } from "a";', "static"],
    ['import {\n  b,\n  type C,\n  d as e,\n} from "a";', "static"],
    ['import b, { c } from "a";', "static"],
    ['import b, * as c from "a";', "static"],
    ['import { type B } from "a";', "static"], // verbatimModuleSyntax leaves `import {} from "a"`, which loads it
    ['import { b } from "a" with { type: "json" };', "static"],
    ['export { b } from "a";', "static"],
    ['export * from "a";', "static"],
    ['export * as b from "a";', "static"],
    ['import type { B } from "a";', "type"],
    ['import type B from "a";', "type"],
    ['import type * as b from "a";', "type"],
    ['export type { B } from "a";', "type"],
    ['export type {\n  B,\n} from "a";', "type"],
    ['export type * from "a";', "type"],
    ['const b = await import("a");', "lazy"],
    ['  return import(\n    "a"\n  );', "lazy"],
    ['type B = typeof import("a");', "lazy"],
    ['import { type } from "a";', "static"],
    ['import { $b } from "#hash";', "static", "#hash"],
  ])("%j", (source, when, specifier = "a") => {
    expect(importsOf(source)).toStrictEqual([{ specifier, when }]);
    expect(importsOf(`const before = 1;\n${source}\nconst after = 2;\n`)).toHaveLength(1);
  });

  it.each([
    "",
    '// import { b } from "a";',
    '/** Loaded by import() only.\n * import { b } from "a";\n */',
    '/*\nimport { b } from "a";\n*/',
    "const b = 'import { b } from \"a\"';",
    "export const b = 1;",
    'export const from = "a";',
    'export function b(): string {\n  return from("a");\n}',
    "import.meta.url;",
    'loader.import("a");',
    'reimport("a");',
    'export default "a";',
  ])("sees none in %j", (source) => {
    expect(importsOf(source)).toStrictEqual([]);
  });

  it("sees all of a file", () => {
    const source =
      'import { b } from "b";\nimport type { C } from "c";\n\nexport const d = () => import("d");\nexport * from "e";\n';
    expect(importsOf(source).map(({ when, specifier }) => `${when} ${specifier}`)).toStrictEqual([
      "static b",
      "type c",
      "static e",
      "lazy d",
    ]);
  });

  it.each(["import(name)", "import(`./${name}.ts`)", 'import("./" + name)', "import(/* webpack */ name)"])(
    "refuses %s, which could lead anywhere",
    (source) => {
      expect(() => importsOf(source)).toThrow("no literal argument");
    },
  );
});
