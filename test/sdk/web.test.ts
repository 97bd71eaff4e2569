import { afterEach, expect, test } from "vitest";
import { descryOver } from "../../src/sdk/descry.ts";
import { openChannel } from "../../src/sdk/transport-web.ts";
import { bytesOf, collect } from "../support/bytes.ts";
import { sha256 } from "../support/memory-registry.ts";
import { type PlainServer, startPlainServer } from "../support/plain-server.ts";

const REPOSITORY = "descry.local/team/app";
let server: PlainServer | undefined;
afterEach(async () => await server?.close());

/** The browser's transport, on Node's fetch. */
async function start() {
  server = await startPlainServer();
  return descryOver(openChannel(server.url), { resume: { attempts: 3, delayMs: 0 } });
}

test("a browser pushes what fits a message and fetches what it likes", async () => {
  const descry = await start();
  const small = bytesOf(100_000);
  await descry.push(`${REPOSITORY}:v1`, new Blob([small]));
  expect(sha256(await collect((await descry.fetchStream(`${REPOSITORY}:v1`)).bytes))).toBe(sha256(small));
});

test("a browser is told why it cannot push more", async () => {
  const descry = await start();
  const push = descry.push(REPOSITORY, bytesOf(4 * 1024 * 1024 + 1));
  await expect(push).rejects.toMatchObject({ reason: "UNSUPPORTED", code: "unimplemented" });
  expect(server?.requests).toEqual([]);
});

test("a browser goes on after a break too", async () => {
  const descry = await start();
  const bytes = bytesOf(2_000_000);
  const digest = server?.registry.seed(REPOSITORY, bytes) ?? "";
  let cuts = 0;
  const onProgress = (): void => {
    cuts += 1;
    if (cuts === 3) server?.cut();
  };
  const stream = await descry.fetchStream(REPOSITORY, { digest, onProgress });
  expect(sha256(await collect(stream.bytes))).toBe(digest);
});
