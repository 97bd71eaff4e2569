import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Bench, startDescry } from "./bench.ts";
import { writeBlobFile } from "./blob-file.ts";
import { peakResidentBytes, runChild } from "./proc.ts";
import { mebibytes, printTable } from "./report.ts";
import type { TransferResult } from "./transfer.ts";

/** How much memory the server and the client ever had while blobs of growing size passed: it must not grow with them. */
export async function benchMemory({ settings, directory }: Bench): Promise<void> {
  const rows: string[][] = [];
  for (const size of settings.memoryBytes) {
    const blob = await writeBlobFile(join(directory, "blob"), size);
    const home = join(directory, "memory");
    const descry = await startDescry(home);
    try {
      const idle = await peakResidentBytes(descry.pid);
      const task = { over: "descry", baseUrl: descry.announced, target: "descry.local/bench/blob", blob };
      const push = (await runChild("transfer.ts", { ...task, direction: "push" })) as TransferResult;
      const pushed = await peakResidentBytes(descry.pid);
      const fetch = (await runChild("transfer.ts", { ...task, direction: "fetch" })) as TransferResult;
      const fetched = await peakResidentBytes(descry.pid);
      rows.push(
        [size, idle, pushed, fetched, push.peakResidentBytes, fetch.peakResidentBytes].map((bytes) => mebibytes(bytes)),
      );
    } finally {
      await descry.stop();
      await rm(home, { recursive: true });
      await rm(blob.path);
    }
  }
  printTable(
    "Peak resident memory, the server started anew for each size",
    ["blob", "server, idle", "server, pushed", "server, pushed and fetched", "client, push", "client, fetch"],
    rows,
  );
}
