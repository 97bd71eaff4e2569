import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";

/** `npm run check`: every `check:*` script of package.json, some at a time; what a failing one printed, and its name. */

const text = await readFile(new URL("../../package.json", import.meta.url), "utf8");
const { scripts }: { scripts: Record<string, string> } = JSON.parse(text);
const waiting = Object.keys(scripts).filter((name) => name.startsWith("check:"));
const failed: string[] = [];

async function run(name: string): Promise<void> {
  const start = performance.now();
  const child = spawn(process.execPath, ["--run", name], { stdio: ["ignore", "pipe", "pipe"] });
  const output: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
  const [code]: unknown[] = await once(child, "close");
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (code === 0) {
    console.log(`ok      ${name} (${seconds} s)`);
    return;
  }
  failed.push(name);
  console.log(`FAILED  ${name} (${seconds} s): ${scripts[name]}\n${Buffer.concat(output).toString().trim()}\n`);
}

async function work(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await run(name);
}

await Promise.all(Array.from({ length: availableParallelism() }, work));
if (failed.length > 0) {
  console.log(`failed: ${failed.join(", ")}; each runs alone by \`npm run NAME\``);
  process.exitCode = 1;
}
