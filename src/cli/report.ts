import { inspect } from "node:util";
import { DescryError, type Reason } from "../oci/errors.ts";
import { type Io, writeLine } from "./io.ts";

/** What to do about it, where the message does not say. */
const hints: Partial<Readonly<Record<Reason, string>>> = {
  CALLER_UNAUTHENTICATED: "set DESCRY_TOKEN or give --token-file",
  CALLER_DENIED: "ask the server's operator to allow it in your [[caller]] entry",
  CHILD_MISSING: "push what the manifest names first",
  MANIFEST_INVALID: "give --kind blob to push it as it is",
  STORAGE_FULL: "free space with: descry system gc",
  STORE_CORRUPT: "run: descry system fsck",
  TAG_CHANGED: "somebody else set the tag meanwhile; look at it and decide again",
};

/** Says on stderr, in one line, what went wrong and what to do; with `debug` also where. */
export async function reportError(io: Io, error: unknown, debug: boolean): Promise<void> {
  await writeLine(io.stderr, `descry: ${messageOf(error)}`);
  if (debug) await writeLine(io.stderr, inspect(error, { depth: 8 }));
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof DescryError)) return oneLine(message);
  const { reason, ref } = error;
  const where = ref !== undefined && ref !== "" && !message.includes(ref) ? `${ref}: ` : "";
  const hint = reason === undefined ? unreachedHint(error) : hints[reason];
  return oneLine(`${where}${message}${hint === undefined ? "" : `; ${hint}`}`);
}

/** Nobody listens: on a port, or at a unix socket's path. */
function unreachedHint({ code, message }: DescryError): string | undefined {
  const nobody = code === "unavailable" && /ECONNREFUSED|ENOENT/.test(message);
  return nobody ? "is a server running there? start one with: descry serve" : undefined;
}

/** Texts from elsewhere must not move the cursor or fake a second line. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ").trim();
}
