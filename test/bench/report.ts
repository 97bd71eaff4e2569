/** A table in Markdown, as it is pasted into notes and reviews. */
export function printTable(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): void {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = columns.map((_, i) => (i === 0 ? "---" : "---:"));
  console.log(`\n### ${title}\n\n${[columns, rule, ...rows].map(line).join("\n")}`);
}

/** The round in the middle, by `key`. */
export function medianBy<T>(rounds: readonly T[], key: (round: T) => number): T {
  const middle = rounds.toSorted((a, b) => key(a) - key(b))[Math.floor(rounds.length / 2)];
  if (middle === undefined) throw new Error("no rounds");
  return middle;
}

/** Quotient with two digits, or a dash where there is nothing to compare with. */
export function ratio(value: number, beside: number | undefined): string {
  return beside === undefined ? "–" : `${(value / beside).toFixed(2)}×`;
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / (1024 * 1024))} MiB`;
}
