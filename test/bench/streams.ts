import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { type Bench, startDescry } from "./bench.ts";
import { type BlobFile, writeBlobFile } from "./blob-file.ts";
import { runChild } from "./proc.ts";
import { mebibytes, medianBy, printTable, ratio } from "./report.ts";
import type { TransferResult, TransferTask } from "./transfer.ts";

interface Measured {
  readonly fetchDescry: number;
  readonly fetchBare: number;
  readonly pushDescry: number;
  readonly pushHash: number;
  readonly pushStore: number;
}

/** How fast a large blob streams through the SDK and the server, beside undici, node:http and sha256 alone. */
export async function benchStreams({ settings, directory }: Bench): Promise<void> {
  const rounds: Measured[] = [];
  // Each round has content of its own: what is there already is not pushed again.
  for (let round = 0; round < settings.rounds; round++) {
    const blob = await writeBlobFile(join(directory, `blob-${round}`), settings.streamBytes);
    rounds.push(await measure(blob, join(directory, `streams-${round}`)));
    await rm(blob.path);
  }
  const rate = (key: keyof Measured): number =>
    medianBy(
      rounds.map((round) => round[key]),
      Number,
    );
  const row = (name: string, ours: number, bare: number): string[] => [
    name,
    (ours / (1024 * 1024)).toFixed(0),
    (bare / (1024 * 1024)).toFixed(0),
    ratio(ours, bare),
  ];
  printTable(
    `Streams of ${mebibytes(settings.streamBytes)} through the SDK, beside undici and node:http`,
    ["stream, and what the bare side does", "descry MiB/s", "bare MiB/s", "ratio"],
    [
      row("FetchStream; bare: file sent, sha256 at the client", rate("fetchDescry"), rate("fetchBare")),
      row("PushStream; bare: sha256 at the server", rate("pushDescry"), rate("pushHash")),
      row("PushStream; bare: sha256, file, fsync at the server", rate("pushDescry"), rate("pushStore")),
    ],
  );
}

async function measure(blob: BlobFile, directory: string): Promise<Measured> {
  const descry = await startDescry(directory);
  const bare = await startBare(blob, join(directory, "bare.log"));
  const rate = async (task: Omit<TransferTask, "blob">): Promise<number> => {
    const { seconds } = (await runChild("transfer.ts", { ...task, blob })) as TransferResult;
    return blob.size / seconds;
  };
  const onDescry = { over: "descry", baseUrl: descry.announced, target: "descry.local/bench/blob" } as const;
  const onBare = { over: "bare", baseUrl: bare.announced } as const;
  try {
    return {
      pushStore: await rate({ ...onBare, direction: "push", target: "/store" }),
      pushDescry: await rate({ ...onDescry, direction: "push" }),
      pushHash: await rate({ ...onBare, direction: "push", target: "/hash" }),
      fetchDescry: await rate({ ...onDescry, direction: "fetch" }),
      fetchBare: await rate({ ...onBare, direction: "fetch", target: "/fetch" }),
    };
  } finally {
    await Promise.all([descry.stop(), bare.stop()]);
    await rm(directory, { recursive: true });
  }
}

function startBare(blob: BlobFile, log: string): Promise<ServerProcess> {
  return startServerProcess({
    program: process.execPath,
    args: [fileURLToPath(new URL("bare-server.ts", import.meta.url)), blob.path],
    log,
    announces: /listening on (http:\/\/127\.0\.0\.1:\d+)/,
  });
}
