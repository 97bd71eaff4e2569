import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { output } from "./command.ts";
import { type RunningDescry, startDescry } from "./descry.ts";
import { hasToolchain } from "./toolchain.ts";

describe.skipIf(!(await hasToolchain("curl")))("curl", () => {
  let descry: RunningDescry;
  beforeAll(async () => {
    descry = await startDescry();
  });
  afterAll(() => descry.stop());

  const hello = "descry.local/hello:latest";
  const path = (method: string): string => `/descry.v1.ContentService/${method}`;
  const json = (body: object): string[] => [
    "--header",
    "content-type: application/json",
    "--data",
    JSON.stringify(body),
  ];
  /** The URL of a call by GET, as the Connect protocol has it. */
  const get = (method: string, body: object): string => {
    const query = new URLSearchParams({ connect: "v1", encoding: "json", message: JSON.stringify(body) });
    return `${descry.http}${path(method)}?${query.toString()}`;
  };
  const curl = async (...args: readonly string[]): Promise<string> =>
    await output("curl", ["--silent", "--show-error", ...args]);
  /** What a call answers, and curl's `--write-out` after it. */
  const status = (format: string): string[] => ["--write-out", `\n${format}`];

  test("POST of JSON: Fetch gives the bytes that the digest says", async () => {
    const answer: { data: string; desc: { digest: string; size: string } } = JSON.parse(
      await curl(...json({ ref: hello }), `${descry.http}${path("Fetch")}`),
    );
    const bytes = Buffer.from(answer.data, "base64");
    expect(answer.desc.digest).toBe(`sha256:${createHash("sha256").update(bytes).digest("hex")}`);
    expect(answer.desc.size).toBe(String(bytes.length));
  });

  test("GET: 200 with an ETag, 304 to it, by curl's own --etag-save and --etag-compare", async () => {
    const tag = join(descry.directory, "etag");
    const url = get("Resolve", { ref: hello });
    const first = await curl("--etag-save", tag, "--include", url);
    expect(first).toMatch(/^HTTP\/1.1 200/);
    expect(first).toMatch(/^etag: W\/"sha256:[0-9a-f]{64}"\r$/im);
    expect(first).toMatch(/^cache-control: .*must-revalidate\r$/im);
    expect(await curl("--etag-compare", tag, ...status("%{http_code} %{size_download}"), url)).toBe("\n304 0");
  });

  test("GET by digest may be kept for ever", async () => {
    const { pinnedRef }: { pinnedRef: string } = JSON.parse(await curl(get("Resolve", { ref: hello })));
    expect(await curl("--include", get("Resolve", { ref: pinnedRef }))).toMatch(/^cache-control: .*immutable\r$/im);
  });

  test("HTTP/2 without TLS, and over the unix socket", async () => {
    const prior = [...json({ ref: hello }), ...status("%{http_version} %{http_code}"), "--http2-prior-knowledge"];
    expect(await curl(...prior, `${descry.http}${path("Resolve")}`)).toMatch(/"pinnedRef":.*\n2 200$/);
    const socket = ["--unix-socket", descry.socket, `http://localhost${path("Resolve")}`];
    expect(await curl(...prior, ...socket)).toMatch(/"pinnedRef":.*\n2 200$/);
    expect(await curl(...json({ ref: hello }), ...status("%{http_version} %{http_code}"), ...socket)).toMatch(
      /\n1.1 200$/,
    );
  });

  test("an error is a status and JSON with its reason", async () => {
    const answer = await curl(
      ...json({ ref: "descry.local/hello:none" }),
      ...status("%{http_code}"),
      `${descry.http}${path("Resolve")}`,
    );
    const [body = "", code] = answer.split("\n");
    expect(code).toBe("404");
    const details = [
      expect.objectContaining({
        type: "google.rpc.ErrorInfo",
        debug: expect.objectContaining({ reason: "TAG_UNKNOWN", domain: "descry" }),
      }),
    ];
    expect(JSON.parse(body)).toMatchObject({ code: "not_found", details });
  });

  test("a stream: one envelope out, envelopes back", async () => {
    const body = Buffer.from(JSON.stringify({ ref: hello }));
    const header = Buffer.alloc(5);
    header.writeUInt32BE(body.length, 1);
    const request = join(descry.directory, "envelope");
    await writeFile(request, Buffer.concat([header, body]));
    const answer = await curl(
      "--header",
      "content-type: application/connect+json",
      "--data-binary",
      `@${request}`,
      `${descry.http}${path("FetchStream")}`,
    );
    expect(answer).toMatch(/"header":.*"data":.*\{\}$/s);
  });
});
