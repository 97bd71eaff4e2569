import { createHash, randomBytes } from "node:crypto";
import { getDefaultHighWaterMark } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDescry } from "../../src/sdk/index.ts";
import { createNodeDescry } from "../../src/sdk/node/index.ts";
import { CHUNK_BYTES } from "../../src/store/store.ts";
import { type ContentServer, startContentServer } from "../support/content-server.ts";

/** More than sockets and windows hold on the way, so that the server has to wait for its reader. */
const bytes = randomBytes(48 * 1024 * 1024);
const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

let server: ContentServer;
beforeAll(async () => {
  server = await startContentServer();
  const descry = createDescry({ baseUrl: server.http });
  await descry.push("descry.local/slow", bytes, { mediaType: "application/octet-stream" });
  descry.close();
});
afterAll(() => server.stop());

describe("a reader slower than the server", () => {
  it.each(["1.1", "2"] as const)("gets every byte as it is, over HTTP/%s", async (httpVersion) => {
    const descry = createNodeDescry({ baseUrl: server.http, httpVersion });
    const stream = await descry.fetchStream(`descry.local/slow@${digest}`, { resume: false });
    const hash = createHash("sha256");
    for await (const chunk of stream.bytes) {
      hash.update(chunk);
      for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    }
    expect(`sha256:${hash.digest("hex")}`).toBe(digest);
    descry.close();
  });

  it("holds the server's two buffers until its response is drained", () => {
    // What services/read.ts relies on when it borrows chunks from the store.
    expect(CHUNK_BYTES).toBeGreaterThan(getDefaultHighWaterMark(false));
  });
});
