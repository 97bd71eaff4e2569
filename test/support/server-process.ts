import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { open, readFile } from "node:fs/promises";

/** A server in a process of its own. */
export interface ServerProcess {
  readonly pid: number;
  /** What it said about itself once it listened: the first group of `announces`. */
  readonly announced: string;
  /** SIGTERM, and resolves when it has ended. */
  stop(): Promise<void>;
}

export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** File for what it prints, on either stream. A file and no pipe: nobody has to read along while it is measured. */
  readonly log: string;
  /** The line by which it says where it listens. */
  readonly announces: RegExp;
}

/** Starts a server and resolves when it listens. Throws with its output when it ends before. */
export async function startServerProcess(command: ServerCommand): Promise<ServerProcess> {
  const log = await open(command.log, "w");
  try {
    const child = spawn(command.program, command.args, {
      stdio: ["ignore", log.fd, log.fd],
      env: { ...process.env, ...command.env },
    });
    const announced = await announcement(child, command);
    return { pid: child.pid ?? 0, announced, stop: () => stop(child) };
  } finally {
    await log.close();
  }
}

async function announcement(child: ChildProcess, { program, log, announces }: ServerCommand): Promise<string> {
  const watcher = watch(log);
  try {
    return await new Promise<string>((resolve, reject) => {
      const look = async (): Promise<string> => {
        const printed = await readFile(log, "utf8");
        const found = announces.exec(printed)?.[1];
        if (found !== undefined) resolve(found);
        return printed;
      };
      watcher.on("change", () => void look().catch(reject));
      // It may have spoken before the watch began.
      look().catch(reject);
      child.once("error", reject);
      child.once("exit", (code) => {
        look().then((printed) => reject(new Error(`${program} ended with ${code}:\n${printed}`)), reject);
      });
    });
  } finally {
    watcher.close();
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}
