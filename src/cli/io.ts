import type { Environment } from "../config/config.ts";

/** What a command has of the world around it. */
export interface Io {
  readonly stdin: InputStream;
  /** Data, and nothing else. */
  readonly stdout: OutputStream;
  /** Progress, warnings, prompts, errors and the server's log. */
  readonly stderr: OutputStream;
  readonly env: Environment;
  /** Aborts with an {@link Interrupt}. */
  readonly signal: AbortSignal;
  /** Milliseconds from some fixed moment. */
  readonly now: () => number;
}

export interface InputStream extends NodeJS.ReadableStream {
  /** A person types. */
  readonly isTTY?: boolean;
  destroy(): unknown;
}

export interface OutputStream extends NodeJS.WritableStream {
  /** A person reads. */
  readonly isTTY?: boolean;
}

/** Why a run ends early: a signal, or nobody reads its output any more. */
export interface Interrupt {
  readonly by: "SIGINT" | "SIGTERM" | "SIGPIPE";
}

export function isInterrupt(reason: unknown): reason is Interrupt {
  return typeof reason === "object" && reason !== null && "by" in reason;
}

/** Writes, and resolves when it is safe to write more. Rejects when nobody reads any more. */
export async function write(stream: OutputStream, data: string | Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    stream.write(data, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

export async function writeLine(stream: OutputStream, line: string): Promise<void> {
  await write(stream, `${line}\n`);
}
