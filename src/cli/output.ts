import { descriptorToJson } from "../oci/descriptor.ts";
import type { Freshness, Receipt, Resolution } from "../sdk/index.ts";
import { type Io, writeLine } from "./io.ts";

/** `--format` */
export type Format = "text" | "json";

/** A JSON value in one line: several of them are JSON Lines. */
export async function printJson(io: Io, value: unknown): Promise<void> {
  await writeLine(io.stdout, JSON.stringify(value));
}

/** A text for people, or the same as JSON. */
export async function print(io: Io, format: Format, text: string, json: () => unknown): Promise<void> {
  if (format === "json") await printJson(io, json());
  else await writeLine(io.stdout, text);
}

export function resolutionJson({ ref, pinnedRef, desc, freshness }: Resolution): unknown {
  return { ref, pinnedRef, descriptor: descriptorToJson(desc), freshness: freshnessJson(freshness) };
}

export function receiptJson({ ref, pinnedRef, desc, ...rest }: Receipt): unknown {
  return { ref, pinnedRef, descriptor: descriptorToJson(desc), ...rest };
}

function freshnessJson({ observedAt, stale, servedBy, host, freshUntil }: Freshness): unknown {
  return {
    observedAt: observedAt.toISOString(),
    stale,
    servedBy,
    ...(host === "" ? {} : { host }),
    ...(freshUntil === undefined ? {} : { freshUntil: freshUntil.toISOString() }),
  };
}

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** Bytes for people: `12.3 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ""}`;
}
