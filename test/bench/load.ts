import { connect, type Socket } from "node:net";

/**
 * A load generator, run as a child by resolve.ts: sends one HTTP/1.1 request over and over on kept connections, each
 * when the answer to the one before is complete. It works on sockets, without an HTTP client, to need a fraction of a
 * server's CPU.
 */
export interface LoadTask {
  readonly host: string;
  readonly port: number;
  /** The request to the byte. */
  readonly request: string;
  /** Its answer's status; anything else fails the run. */
  readonly status: number;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface LoadResult {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Part of one core that this generator used: near 1, it was what limited the rate. */
  readonly generatorCpu: number;
}

/** Bytes of the first answer in `text`, or undefined while it is not complete. */
function answerLength(text: string, bodiless: boolean): number | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const bodyStart = headEnd + 4;
  if (bodiless) return bodyStart;
  const head = text.slice(0, headEnd);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const end = bodyStart + Number(length);
    return text.length >= end ? end : undefined;
  }
  // Chunked: the last chunk ends what a server sends before it is asked again.
  return text.endsWith("\r\n0\r\n\r\n") ? text.length : undefined;
}

async function run(task: LoadTask): Promise<LoadResult> {
  const request = Buffer.from(task.request, "latin1");
  const bodiless = task.request.startsWith("HEAD ") || task.status === 304;
  const measureFrom = performance.now() + task.warmUpMs;
  const end = measureFrom + task.measureMs;
  const latencies: number[] = [];
  let cpu = process.cpuUsage();
  let measuring = false;

  const client = async (): Promise<void> => {
    const socket: Socket = connect(task.port, task.host).setNoDelay(true);
    let text = "";
    let sent = performance.now();
    socket.on("connect", () => socket.write(request));
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      const length = answerLength(text, bodiless);
      if (length === undefined) return;
      const now = performance.now();
      if (Number(text.slice(9, 12)) !== task.status) {
        socket.destroy(new Error(`expected ${task.status}, got:\n${text.slice(0, length)}`));
        return;
      }
      if (now >= measureFrom && !measuring) {
        measuring = true;
        cpu = process.cpuUsage();
      }
      if (now >= end) {
        socket.end();
        return;
      }
      if (measuring) latencies.push(now - sent);
      text = text.slice(length);
      sent = now;
      socket.write(request);
    });
    await new Promise<void>((resolve, reject) => socket.once("close", () => resolve()).once("error", reject));
    if (performance.now() < end) throw new Error("the server closed a connection");
  };

  await Promise.all(Array.from({ length: task.connections }, client));
  const used = process.cpuUsage(cpu);
  const seconds = (performance.now() - measureFrom) / 1000;
  const sorted = latencies.toSorted((a, b) => a - b);
  const quantile = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? Number.NaN;
  return {
    perSecond: sorted.length / seconds,
    p50: quantile(0.5),
    p99: quantile(0.99),
    generatorCpu: (used.user + used.system) / 1e6 / seconds,
  };
}

const task: LoadTask = JSON.parse(process.argv[2] ?? "");
process.stdout.write(JSON.stringify(await run(task)));
