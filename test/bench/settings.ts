const MiB = 1024 * 1024;

/** How much is measured. Every number can be overridden by the environment variable named beside it. */
export interface Settings {
  /** Rounds of each comparison; the median one is reported. DESCRY_BENCH_ROUNDS */
  readonly rounds: number;
  /** Milliseconds that one Resolve load runs, after a quarter of that to warm up. DESCRY_BENCH_LOAD_MS */
  readonly loadMs: number;
  /** Bytes of a streamed blob. DESCRY_BENCH_STREAM_MIB */
  readonly streamBytes: number;
  /** Bytes of the blobs whose memory is watched. DESCRY_BENCH_MEMORY_MIB, separated by commas */
  readonly memoryBytes: readonly number[];
  /** Starts of each program. DESCRY_BENCH_STARTS */
  readonly starts: number;
}

/** Full: what the aims are stated for. Quick: shows that everything still runs; its numbers mean little. */
export function readSettings(quick: boolean): Settings {
  return {
    rounds: number("DESCRY_BENCH_ROUNDS", quick ? 1 : 3),
    loadMs: number("DESCRY_BENCH_LOAD_MS", quick ? 800 : 4000),
    streamBytes: number("DESCRY_BENCH_STREAM_MIB", quick ? 64 : 512) * MiB,
    memoryBytes: numbers("DESCRY_BENCH_MEMORY_MIB", quick ? [16, 64] : [64, 1024, 4096]).map((size) => size * MiB),
    starts: number("DESCRY_BENCH_STARTS", quick ? 3 : 11),
  };
}

function number(name: string, otherwise: number): number {
  const [value] = numbers(name, [otherwise]);
  return value ?? otherwise;
}

function numbers(name: string, otherwise: readonly number[]): readonly number[] {
  const text = process.env[name];
  if (text === undefined) return otherwise;
  const values = text.split(",").map(Number);
  if (values.some((value) => !Number.isSafeInteger(value) || value <= 0))
    throw new Error(`${name}=${text}: give whole numbers above 0`);
  return values;
}
