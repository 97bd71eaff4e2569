import { chmod, link, lstat, mkdtemp, rm, unlink } from "node:fs/promises";
import { once } from "node:events";
import { connect, type Server } from "node:net";
import { dirname, join } from "node:path";
import { DescryError } from "../oci/errors.ts";

/** Attempts to take a path that other servers come and go at. */
const ATTEMPTS = 3;

/**
 * Listens on a unix socket of mode 0600 and answers a function that removes its file. A socket file that a dead server
 * left is replaced; one that answers, or any other file, is left alone and refused (FIELD_INVALID).
 *
 * The socket is bound inside a new directory of mode 0700 and linked to its place only once it is private: between
 * bind and chmod it could be opened by others, and umask is one for the whole process.
 */
export async function listenUnix(server: Server, path: string): Promise<() => Promise<void>> {
  const nest = await mkdtemp(join(dirname(path), ".d")).catch((error: unknown) => {
    throw refusal(path, `its directory cannot be written (${codeOf(error)})`, error);
  });
  const born = join(nest, "s");
  try {
    server.listen(born);
    await once(server, "listening");
    await chmod(born, 0o600);
    await place(born, path);
  } catch (error) {
    server.close();
    throw error;
  } finally {
    await rm(nest, { recursive: true, force: true });
  }
  const { ino, dev } = await lstat(path);
  return async () => {
    const now = await lstat(path).catch(() => undefined);
    // A successor may have put its own socket there.
    if (now?.ino === ino && now.dev === dev) await unlink(path);
  };
}

/** Unlike rename, link never replaces: of two servers that start at once, one finds the other's live socket. */
async function place(born: string, path: string): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      return await link(born, path);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw refusal(path, `it cannot be created (${codeOf(error)})`, error);
    }
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined) continue;
    if (!found.isSocket()) throw refusal(path, "a file that is no socket is there");
    const answer = await probe(path);
    if (answer === undefined) throw refusal(path, "another server listens there");
    if (answer !== "ECONNREFUSED" && answer !== "ENOENT") throw refusal(path, `the socket there says ${answer}`);
    if (answer === "ECONNREFUSED") await unlink(path).catch(() => undefined);
  }
  throw refusal(path, "other servers keep taking it");
}

/** Undefined if a server accepts connections there, else the error's code. */
function probe(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.on("error", (error) => resolve(codeOf(error)));
  });
}

function refusal(path: string, why: string, cause?: unknown): DescryError {
  const description = `unix://${path} cannot be listened on: ${why}`;
  return new DescryError("FIELD_INVALID", `listen: ${description}`, {
    violations: [{ field: "listen", description }],
    cause,
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : String(error);
}
