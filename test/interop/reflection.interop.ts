import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { output } from "./command.ts";
import { type RunningDescry, startDescry } from "./descry.ts";
import { buildGoTools } from "./go-tools.ts";
import { hasToolchain } from "./toolchain.ts";

/** Methods of the contract as of this line's commit; a tool that sees fewer has lost some. */
const methods = [
  "Copy",
  "Delete",
  "Fetch",
  "FetchStream",
  "ListReferrers",
  "ListTags",
  "PreparePush",
  "Push",
  "PushStream",
  "Resolve",
  "SetTag",
].map((method) => `descry.v1.ContentService.${method}`);
const hello = JSON.stringify({ ref: "descry.local/hello:latest" });
const missing = JSON.stringify({ ref: "descry.local/hello:none" });

let descry: RunningDescry;
beforeAll(async () => {
  descry = await startDescry();
});
afterAll(() => descry.stop());

describe.skipIf(!(await hasToolchain("go")))("grpcurl, without a schema", () => {
  let program: string;
  beforeAll(async () => {
    await buildGoTools(join(descry.directory, "bin"), ["grpcurl"]);
    program = join(descry.directory, "bin/grpcurl");
  });
  const address = (): string => new URL(descry.http).host;
  const grpcurl = async (...args: readonly string[]): Promise<string> => await output(program, ["-plaintext", ...args]);

  test("list", async () => {
    expect((await grpcurl(address(), "list")).split("\n")).toContain("descry.v1.ContentService");
    expect((await grpcurl(address(), "list", "descry.v1.ContentService")).trim().split("\n")).toEqual(methods);
  });

  test("describe", async () => {
    const described = await grpcurl(address(), "describe", "descry.v1.ContentDescriptor");
    // Numbers and types of containerd.types.Descriptor (containerd v2, api/types/descriptor.proto).
    for (const field of ["string media_type = 1", "string digest = 2", "int64 size = 3", "> annotations = 5"])
      expect(described).toContain(field);
  });

  test("call, unary and streams", async () => {
    const call = async (method: string, body: string, ...more: readonly string[]): Promise<string> =>
      await grpcurl(...more, "-d", body, address(), `descry.v1.ContentService/${method}`);
    expect(JSON.parse(await call("Resolve", hello))).toMatchObject({ ref: "descry.local/hello:latest" });
    expect(await call("FetchStream", hello)).toMatch(/"header": \{.*"data": "/s);
    // printf hello | sha256sum; printf hello | base64
    const digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    const header = { ref: "descry.local/grpcurl", desc: { digest, size: 5 } };
    const receipt = await call("PushStream", `${JSON.stringify({ header })}{"data":"aGVsbG8="}`);
    expect(JSON.parse(receipt)).toMatchObject({ receipt: { pinnedRef: `descry.local/grpcurl@${digest}` } });
  });

  test("over the unix socket", async () => {
    const answer = await grpcurl("-unix", "-d", hello, descry.socket, "descry.v1.ContentService/Resolve");
    expect(JSON.parse(answer)).toMatchObject({ ref: "descry.local/hello:latest" });
  });

  test("an error has its code", async () => {
    const call = grpcurl("-d", missing, address(), "descry.v1.ContentService/Resolve");
    await expect(call).rejects.toThrow(/Code: NotFound\n.*descry\.local\/hello has no tag none/s);
  });

  test("health", async () => {
    const health = JSON.parse(await grpcurl(address(), "grpc.health.v1.Health/Check"));
    expect(health).toEqual({ status: "SERVING" });
  });
});

describe("buf curl, without a schema", () => {
  const buf = join(import.meta.dirname, "../../node_modules/@bufbuild/buf/bin/buf");
  const curl = async (...args: readonly string[]): Promise<string> =>
    await output(process.execPath, [buf, "curl", "--http2-prior-knowledge", ...args]);

  test("list", async () => {
    const listed = (await curl(descry.http, "--list-methods")).trim().split("\n");
    expect(listed).toEqual(expect.arrayContaining(methods.map((method) => method.replace(/\.(?=\w+$)/, "/"))));
  });

  test.each(["connect", "grpc", "grpcweb"])("Resolve, then FetchStream, by --protocol %s", async (protocol) => {
    const call = async (method: string): Promise<string> =>
      await curl("--protocol", protocol, "-d", hello, `${descry.http}/descry.v1.ContentService/${method}`);
    expect(JSON.parse(await call("Resolve"))).toMatchObject({ ref: "descry.local/hello:latest" });
    expect(await call("FetchStream")).toContain('"data":');
  });
});
