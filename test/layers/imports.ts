/** An import of a source file. */
export interface Import {
  /** As written: `./digest.ts`, `#hash`, `node:fs`, `@connectrpc/connect`. */
  readonly specifier: string;
  /** `static` when the file is loaded, `lazy` when an `import()` runs, `type` never. */
  readonly when: "static" | "lazy" | "type";
}

/** What an import or export statement takes: names in braces, everything, or a default with either. */
const taken = String.raw`(?:[\w$]+\s*,\s*)?(?:\{[^}]*\}|\*(?:\s+as\s+[\w$]+)?|[\w$]+)`;
const statement = new RegExp(String.raw`^(?:import|export)\s+(type\s+)?(?:${taken}\s+from\s+)?"([^"]+)"`, "gm");
const call = /(?<![\w$.])import\(\s*("([^"]+)"\s*\))?/g;
/** Comments that stand alone on their lines; they may speak of imports. */
const comments = /^[ \t]*(?:\/\/.*|\/\*[\s\S]*?\*\/)/gm;

/**
 * The imports of TypeScript source in this repository's form: statements begin a line, as prettier leaves them, and
 * specifiers are literals. Throws at an `import()` whose argument is computed: nobody could say where it leads.
 */
export function importsOf(source: string): readonly Import[] {
  const code = source.replace(comments, "");
  const statements = Array.from(code.matchAll(statement), ([, type, specifier = ""]): Import => ({
    specifier,
    when: type === undefined ? "static" : "type",
  }));
  const calls = Array.from(code.matchAll(call), ([text, literal, specifier = ""]): Import => {
    if (literal === undefined) throw new Error(`${text}…) has no literal argument`);
    return { specifier, when: "lazy" };
  });
  return [...statements, ...calls];
}
