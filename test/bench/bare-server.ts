import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rm, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/**
 * What descry's streams are measured beside: node:http and nothing more. `GET /fetch` answers the file named as
 * argument. `PUT /hash` answers the body's digest. `PUT /store` keeps the body as a store must: hashed, in a file, on
 * disk before the answer.
 */

const [, , path = ""] = process.argv;
const READ_BYTES = 256 * 1024;

async function fetch(response: ServerResponse): Promise<void> {
  const { size } = await stat(path);
  response.writeHead(200, { "content-length": size });
  createReadStream(path, { highWaterMark: READ_BYTES }).pipe(response);
}

async function hash(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const hasher = createHash("sha256");
  for await (const chunk of request as AsyncIterable<Buffer>) hasher.update(chunk);
  response.end(`sha256:${hasher.digest("hex")}`);
}

async function store(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const hasher = createHash("sha256");
  const target = `${path}.stored`;
  const file = await open(target, "w");
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      hasher.update(chunk);
      await file.write(chunk);
    }
    await file.sync();
  } finally {
    await file.close();
    await rm(target);
  }
  response.end(`sha256:${hasher.digest("hex")}`);
}

const server = createServer((request, response) => {
  const handled =
    request.url === "/fetch"
      ? fetch(response)
      : request.url === "/hash"
        ? hash(request, response)
        : store(request, response);
  handled.catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") console.log(`listening on http://127.0.0.1:${address.port}`);
});
