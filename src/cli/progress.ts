import type { TransferProgress } from "../sdk/index.ts";
import type { Io } from "./io.ts";
import { formatBytes } from "./output.ts";

/** A line on stderr about bytes that move. */
export interface ProgressLine {
  readonly update: (progress: TransferProgress) => void;
  /** Takes the line away. */
  readonly end: () => void;
}

/** Milliseconds between two drawings: often enough to look alive, too seldom to cost anything. */
const REDRAW_MS = 100;
/** Columns of the bar. */
const BAR_COLUMNS = 24;
const CLEAR_LINE = "\r\u001b[K";

const silent: ProgressLine = { update: () => undefined, end: () => undefined };

/** Draws only on a terminal that can, and not where the data itself goes to one. */
export function createProgress(io: Io, dataOnStdout = false): ProgressLine {
  const { stderr, env, now } = io;
  if (stderr.isTTY !== true || env["TERM"] === "dumb" || (dataOnStdout && io.stdout.isTTY === true)) return silent;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let start: { readonly at: number; readonly offset: number } | undefined;
  return {
    update: ({ digest, offset, total }) => {
      const at = now();
      start ??= { at, offset };
      if (at - drawnAt < REDRAW_MS) return;
      drawnAt = at;
      const done = total === 0 ? 1 : offset / total;
      const bar = "#".repeat(Math.round(done * BAR_COLUMNS)).padEnd(BAR_COLUMNS, ".");
      const rate = at > start.at ? ((offset - start.offset) * 1000) / (at - start.at) : 0;
      const name = digest.slice(digest.indexOf(":") + 1).slice(0, 12);
      const percent = `${Math.floor(done * 100)}%`.padStart(4);
      const bytes = `${formatBytes(offset)} of ${formatBytes(total)}, ${formatBytes(Math.round(rate))}/s`;
      stderr.write(`${CLEAR_LINE}${name} [${bar}] ${percent} ${bytes}`);
    },
    end: () => {
      if (drawnAt !== Number.NEGATIVE_INFINITY) stderr.write(CLEAR_LINE);
    },
  };
}
