const header = /^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?/;
const assignment = /^\s*([A-Za-z0-9_-]+|"[^"]*"|'[^']*')\s*=/;

/**
 * The line of a key in a TOML text, from 1; of its table, if the key stands in an inline table or is dotted; undefined
 * if that is not found either. A parser does not tell where its values came from, so this looks at the lines: good
 * enough for a message.
 */
export function lineOf(text: string, keys: readonly string[]): number | undefined {
  const arrays = new Map<string, number>();
  let table: readonly string[] = [];
  let found: { readonly line: number; readonly depth: number } | undefined;
  for (const [i, line] of text.split("\n").entries()) {
    const [, brackets, name = ""] = header.exec(line) ?? [];
    if (brackets !== undefined) {
      table = tablePath(name, brackets === "[[", arrays);
    }
    const key = brackets === undefined ? assignment.exec(line)?.[1] : undefined;
    if (brackets === undefined && key === undefined) continue;
    const here = key === undefined ? table : [...table, unquoted(key)];
    if (here.length > (found?.depth ?? 0) && here.every((part, depth) => part === keys[depth]))
      found = { line: i + 1, depth: here.length };
  }
  return found?.line;
}

/** The path of a table's header, with the index of each array of tables in it: `caller.allow` is caller.1.allow.0. */
function tablePath(name: string, isArray: boolean, arrays: Map<string, number>): readonly string[] {
  const path: string[] = [];
  const keys = name.split(".").map((key) => unquoted(key.trim()));
  for (const [i, key] of keys.entries()) {
    path.push(key);
    const array = path.join(".");
    const last = isArray && i === keys.length - 1;
    if (last) arrays.set(array, (arrays.get(array) ?? -1) + 1);
    const index = arrays.get(array);
    if (index !== undefined) path.push(String(index));
  }
  return path;
}

function unquoted(key: string): string {
  return key.replace(/^(["'])(.*)\1$/, "$2");
}
