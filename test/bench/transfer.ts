import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { request } from "undici";
import { createDescry } from "../../src/sdk/index.ts";
import { fileSource } from "../../src/sdk/node/index.ts";
import type { BlobFile } from "./blob-file.ts";
import { peakResidentBytes } from "./proc.ts";

/** One blob moved once, run as a child so that each side starts fresh and its memory can be told. */
export interface TransferTask {
  readonly over: "descry" | "bare";
  readonly direction: "fetch" | "push";
  readonly baseUrl: string;
  /** descry: repository. Bare: path. */
  readonly target: string;
  readonly blob: BlobFile;
}

export interface TransferResult {
  readonly seconds: number;
  readonly peakResidentBytes: number;
}

/** One read from disk, on both sides: a stream message of descry. */
const READ_BYTES = 256 * 1024;

async function moveByDescry({ direction, baseUrl, target, blob }: TransferTask): Promise<string> {
  const descry = createDescry({ baseUrl });
  const descriptor = { mediaType: "application/octet-stream", digest: blob.digest, size: blob.size };
  if (direction === "push")
    return (await descry.push(target, fileSource(blob.path), { descriptor, kind: "blob" })).desc.digest;
  const stream = await descry.fetchStream(target, { digest: blob.digest });
  let bytes = 0;
  // The SDK checks the digest; here the bytes are only counted.
  for await (const chunk of stream.bytes) bytes += chunk.byteLength;
  return bytes === blob.size ? stream.desc.digest : `${bytes} bytes`;
}

async function moveBare({ direction, baseUrl, target, blob }: TransferTask): Promise<string> {
  const url = new URL(target, baseUrl);
  if (direction === "push") {
    const body = createReadStream(blob.path, { highWaterMark: READ_BYTES });
    const answer = await request(url, { method: "PUT", body, headers: { "content-length": String(blob.size) } });
    return await answer.body.text();
  }
  const answer = await request(url);
  const hash = createHash("sha256");
  for await (const chunk of answer.body as AsyncIterable<Buffer>) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

const task: TransferTask = JSON.parse(process.argv[2] ?? "");
const start = performance.now();
const digest = await (task.over === "descry" ? moveByDescry(task) : moveBare(task));
const seconds = (performance.now() - start) / 1000;
if (digest !== task.blob.digest) throw new Error(`moved ${digest} instead of ${task.blob.digest}`);
const result: TransferResult = { seconds, peakResidentBytes: await peakResidentBytes(process.pid) };
process.stdout.write(JSON.stringify(result));
