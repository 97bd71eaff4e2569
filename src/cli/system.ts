import { type Config, loadConfig } from "../config/config.ts";
import { DescryError } from "../oci/errors.ts";
import { openStore } from "../store/disk/index.ts";
import type { Store } from "../store/store.ts";
import type { Io } from "./io.ts";
import { writeLine } from "./io.ts";
import { type Format, formatBytes, print, printJson } from "./output.ts";

export interface SystemFlags {
  readonly format: Format;
  readonly dataDir?: string;
  readonly config?: string;
}

/** `descry system df` */
export async function df(io: Io, flags: SystemFlags): Promise<void> {
  const usage = await withStore(io, flags, (store) => store.usage());
  const { repositories, tags, manifests, blobs, uploads, quarantined } = usage;
  const rows: readonly (readonly [string, string])[] = [
    ["repositories", String(repositories)],
    ["tags", String(tags)],
    ["manifests", String(manifests)],
    ["blobs", String(blobs)],
    ["content", formatBytes(usage.contentBytes)],
    ["reclaimable", formatBytes(usage.reclaimableBytes)],
    ["uploads", `${uploads} (${formatBytes(usage.uploadBytes)})`],
    ["quarantined", String(quarantined)],
  ];
  await print(io, flags.format, rows.map(([name, value]) => name.padEnd(14) + value).join("\n"), () => usage);
}

/** `descry system gc`. Works beside a running server. */
export async function gc(io: Io, flags: SystemFlags): Promise<void> {
  const collected = await withStore(io, flags, async (store) => {
    await store.recover();
    return await store.collect(io.signal);
  });
  const { blobs, bytes, uploads } = collected;
  const text = `freed ${formatBytes(bytes)}: ${blobs} blobs, ${uploads} interrupted uploads`;
  await print(io, flags.format, text, () => collected);
}

/** `descry system fsck`. Faults are listed, and an error with exit code 7. */
export async function fsck(io: Io, flags: SystemFlags): Promise<void> {
  const checked = await withStore(io, flags, (store) => store.check(io.signal));
  const { blobs, bytes, faults } = checked;
  if (flags.format === "json") await printJson(io, checked);
  else {
    for (const { digest, problem, repositories } of faults)
      await writeLine(io.stdout, `${digest}\t${problem}\t${repositories.join(",")}`);
    await writeLine(io.stdout, `checked ${formatBytes(bytes)} in ${blobs} blobs: ${faults.length} faults`);
  }
  if (faults.length > 0)
    throw new DescryError(
      "STORE_CORRUPT",
      `${faults.length} of ${blobs} blobs are bad and out of service; push them again`,
    );
}

async function withStore<T>(io: Io, flags: SystemFlags, use: (store: Store) => Promise<T>): Promise<T> {
  const config: Config = await loadConfig(flags, io.env);
  const store = await openStore(config.dataDir);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}
