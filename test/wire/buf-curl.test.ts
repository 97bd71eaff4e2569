import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestServer, type TestServer } from "../support/server.ts";

const run = promisify(execFile);
const buf = resolve(import.meta.dirname, "../../node_modules/@bufbuild/buf/bin/buf");

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  server.registry.seed("descry.local/hello", Buffer.from("hello"), "text/plain", "latest");
});
afterAll(() => server.stop());

/** `buf curl` without a schema: it asks the server's reflection, over HTTP/2. */
async function curl(...args: readonly string[]): Promise<string> {
  return (await run(process.execPath, [buf, "curl", "--http2-prior-knowledge", ...args])).stdout;
}

const method = () => `${server.http}/descry.v1.ContentService/`;

describe.each(["connect", "grpc", "grpcweb"])("buf curl --protocol %s", (protocol) => {
  test("unary, with the schema from reflection", async () => {
    const answer: unknown = JSON.parse(
      await curl("--protocol", protocol, "-d", '{"ref":"descry.local/hello"}', `${method()}Resolve`),
    );
    // printf hello | sha256sum
    const digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    expect(answer).toMatchObject({ pinnedRef: `descry.local/hello@${digest}`, desc: { digest, size: "5" } });
  });

  test("server stream", async () => {
    const answer = await curl("--protocol", protocol, "-d", '{"ref":"descry.local/hello"}', `${method()}FetchStream`);
    expect(answer).toContain('"data": "aGVsbG8="');
  });

  test("client stream", async () => {
    const digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    // OCI's JSON names: a descriptor cut from an index goes in as it is.
    const header = { ref: "descry.local/new", desc: { digest, size: 5, platform: { os: "linux", "os.version": "1" } } };
    const messages = `${JSON.stringify({ header })}${JSON.stringify({ data: "aGVsbG8=" })}`;
    const answer = await curl("--protocol", protocol, "-d", messages, `${method()}PushStream`);
    expect(answer).toContain(`"pinnedRef": "descry.local/new@${digest}"`);
  });

  test("an error with its reason", async () => {
    const call = curl("--protocol", protocol, "-d", '{"ref":"descry.local/none"}', `${method()}Resolve`);
    const stderr = await call.catch((error: unknown) =>
      typeof error === "object" && error !== null && "stderr" in error ? error.stderr : error,
    );
    expect(stderr).toContain('"code": "not_found"');
    // ErrorInfo on the wire: field 1 is the reason, field 2 the domain. 21 bytes, so that the base64 ends with them.
    expect(stderr).toContain(Buffer.from("\x0a\x0bTAG_UNKNOWN\x12\x06descry").toString("base64"));
  });
});

test("buf curl lists what is served", async () => {
  const methods = (await curl(server.http, "--list-methods")).trim().split("\n");
  expect(methods).toContain("descry.v1.ContentService/Resolve");
  expect(methods).toContain("grpc.health.v1.Health/Check");
});
