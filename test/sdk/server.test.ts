import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Descry } from "../../src/sdk/index.ts";
import { createNodeDescry } from "../../src/sdk/node/index.ts";
import { bytesOf, collect } from "../support/bytes.ts";
import { sha256 } from "../support/memory-registry.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { testTls } from "../support/tls.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => await server.stop());

const ways: readonly (readonly ["http" | "https" | "unix", "1.1" | "2"])[] = [
  ["http", "1.1"],
  ["http", "2"],
  ["https", "1.1"],
  ["https", "2"],
  ["unix", "1.1"],
  ["unix", "2"],
];

describe.each(ways)("over %s, HTTP/%s", (scheme, httpVersion) => {
  let descry: Descry;
  beforeAll(() => {
    descry = createNodeDescry({ baseUrl: server[scheme], httpVersion, tls: { ca: testTls.cert } });
  });
  afterAll(() => descry.close());
  const large = bytesOf(5 * 1024 * 1024, httpVersion.length + scheme.length);
  const repository = `descry.local/${scheme}${httpVersion}`;

  test("content goes in and comes out", async () => {
    const { desc } = await descry.push(`${repository}:v1`, large);
    expect(desc.digest).toBe(sha256(large));
    expect((await descry.resolve(`${repository}:v1`)).desc).toEqual(desc);
    expect(sha256(await collect((await descry.fetchStream(`${repository}:v1`)).bytes))).toBe(desc.digest);
  });

  test("an answer that comes while the client still sends is taken", async () => {
    const digest = server.registry.seed(`${repository}/early`, large);
    const descriptor = { mediaType: "", digest: digest as `${string}:${string}`, size: large.byteLength };
    const endless = (async function* () {
      for (;;) yield large;
    })();
    expect(await descry.push(`${repository}/early`, endless, { descriptor })).toMatchObject({ outcome: "existed" });
  });

  test("an error says what the server said", async () => {
    const unknown = { reason: "TAG_UNKNOWN", code: "not_found" };
    await expect(descry.resolve(`${repository}:none`)).rejects.toMatchObject(unknown);
    await expect(descry.fetchStream(`${repository}:none`)).rejects.toMatchObject(unknown);
  });
});

test("a certificate of somebody unknown is refused", async () => {
  const descry = createNodeDescry({ baseUrl: server.https });
  await expect(descry.resolve("descry.local/x")).rejects.toMatchObject({ code: "unavailable", reason: undefined });
  await expect(descry.resolve("descry.local/x")).rejects.toThrow(/certificate/);
});
