import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Command } from "./commands.ts";

export interface Request {
  readonly id: number;
  /** What the worker's clock shows from now on. */
  readonly at: number;
  readonly command: Command;
}

/** With neither: the worker is ready, or the answer is undefined. */
export interface Reply {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** What a command that a kill cut short "answers". */
export const KILLED: unique symbol = Symbol("killed");

export interface Worker {
  /** Does a command. KILLED if the process ended before it answered. */
  perform(command: Command, at: number): Promise<unknown>;
  /** kill -9; resolves once the process is gone. */
  kill(): Promise<void>;
  /** Closes the store and ends the process. */
  close(): Promise<void>;
}

/** Starts a worker on a data directory. */
export async function startWorker(dataDir: string): Promise<Worker> {
  const child = fork(fileURLToPath(new URL("./worker.ts", import.meta.url)), [dataDir], {
    execArgv: ["--conditions=descry-source", "--disable-warning=ExperimentalWarning"],
    serialization: "advanced",
  });
  const exited = once(child, "exit");
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let last = 0;
  const answered = (id: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
    });
  const ready = answered(0);
  child.on("message", ({ id, answer, error }: Reply) => {
    const waiter = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) waiter?.resolve(answer);
    else waiter?.reject(new Error(error));
  });
  child.on("exit", () => {
    for (const waiter of waiting.values()) waiter.resolve(KILLED);
    waiting.clear();
  });
  if ((await ready) === KILLED) throw new Error("the worker died before it was ready");
  return {
    perform: async (command, at) => {
      last += 1;
      const answer = answered(last);
      // A dead process answers nothing: "exit" has settled, or will settle, what waits.
      if (child.connected) child.send({ id: last, at, command } satisfies Request, () => undefined);
      else waiting.get(last)?.resolve(KILLED);
      return await answer;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
    close: async () => {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
