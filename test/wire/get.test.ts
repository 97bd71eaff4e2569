import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ContentService } from "../../src/gen/descry/v1/content_service_pb.ts";
import { DescryError } from "../../src/oci/errors.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let resolve: string;

beforeAll(async () => {
  server = await startTestServer({
    allowedOrigins: ["https://console.example"],
    service: {
      resolve: ({ ref }, { responseHeader, requestMethod }) => {
        if (ref !== "untagged") responseHeader.set("ETag", 'W/"sha256:aa"');
        if (ref === "missing") throw new DescryError("TAG_UNKNOWN", "no such tag");
        responseHeader.set("Cache-Control", "private, max-age=5");
        return { ref, pinnedRef: requestMethod, ...(ref === "long" ? { pinnedRef: "x".repeat(5000) } : {}) };
      },
    },
  });
  resolve = `${server.http}/descry.v1.ContentService/Resolve`;
});
afterAll(() => server.stop());

function get(ref: string, headers: Record<string, string> = {}, method = "GET"): Promise<Response> {
  const query = new URLSearchParams({ connect: "v1", encoding: "json", message: JSON.stringify({ ref }) });
  return fetch(`${resolve}?${query.toString()}`, { method, headers });
}

test("a method without side effects is a GET, in JSON and in binary", async () => {
  const response = await get("x");
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ ref: "x", pinnedRef: "GET" });
  expect(response.headers.get("ETag")).toBe('W/"sha256:aa"');
  expect(response.headers.get("Cache-Control")).toBe("private, max-age=5");
  const transport = createConnectTransport({ baseUrl: server.http, httpVersion: "1.1", useHttpGet: true });
  expect(await createClient(ContentService, transport).resolve({ ref: "y" })).toMatchObject({ pinnedRef: "GET" });
});

/** RFC 9110 §13.1.2, §8.8.3.2. */
describe("If-None-Match", () => {
  test.each([
    ['W/"sha256:aa"', 304],
    ['"sha256:aa"', 304],
    ['"other", W/"sha256:aa"', 304],
    ["*", 304],
    ['W/"sha256:ab"', 200],
    ["sha256:aa", 200],
    ['"other,sha256:aa"', 200],
  ])("%s: %d", async (tags, status) => {
    const response = await get("x", { "If-None-Match": tags });
    expect(response.status).toBe(status);
    expect((await response.text()) === "").toBe(status === 304);
  });

  test("304 repeats what a cache must know, and describes no body", async () => {
    const { headers } = await get("x", { "If-None-Match": "*" });
    expect(headers.get("ETag")).toBe('W/"sha256:aa"');
    expect(headers.get("Cache-Control")).toBe("private, max-age=5");
    expect(headers.get("Vary")).toMatch(/Accept-Encoding/);
    expect(headers.get("Content-Type")).toBeNull();
  });

  test("nothing without a tag is unchanged", async () => {
    expect((await get("untagged", { "If-None-Match": "*" })).status).toBe(200);
  });

  test("an error is never unchanged", async () => {
    expect((await get("missing", { "If-None-Match": "*" })).status).toBe(404);
  });

  test("a POST is never unchanged", async () => {
    const headers = { "Content-Type": "application/json", "If-None-Match": "*" };
    expect((await fetch(resolve, { method: "POST", headers, body: '{"ref":"x"}' })).status).toBe(200);
  });
});

test("caches keep apart what is compressed and what another page may read", async () => {
  const plain = await get("long", { "Accept-Encoding": "identity" });
  const zipped = await get("long", { "Accept-Encoding": "gzip" });
  expect([plain.headers.get("Content-Encoding"), zipped.headers.get("Content-Encoding")]).toEqual([null, "gzip"]);
  expect(await zipped.json()).toEqual(await plain.json());
  const vary = plain.headers.get("Vary")?.split(", ").toSorted();
  expect(vary).toEqual(["Accept-Encoding", "Origin"]);
});

test("HEAD says what GET would, without the body", async () => {
  const [head, whole] = [await get("x", {}, "HEAD"), await get("x")];
  expect(head.status).toBe(200);
  expect(await head.text()).toBe("");
  for (const name of ["ETag", "Content-Length", "Content-Type", "Cache-Control"])
    expect(head.headers.get(name)).toBe(whole.headers.get(name));
  expect((await get("x", { "If-None-Match": "*" }, "HEAD")).status).toBe(304);
});

test("a method with side effects is no GET", async () => {
  const response = await fetch(
    `${server.http}/descry.v1.ContentService/SetTag?connect=v1&encoding=json&message=%7B%7D`,
  );
  expect(response.status).toBe(405);
  expect(response.headers.get("Allow")).toBe("POST");
});

test("streams are never compressed by the server, but understood when the client does", async () => {
  const message = Buffer.from('{"ref":"descry.local/x:y"}');
  server.registry.seed("descry.local/x", new Uint8Array(100_000), "text/plain", "y");
  const response = await fetch(`${server.http}/descry.v1.ContentService/FetchStream`, {
    method: "POST",
    headers: { "Content-Type": "application/connect+json", "Connect-Accept-Encoding": "gzip" },
    body: Buffer.concat([Buffer.from([0, 0, 0, 0, message.byteLength]), message]),
  });
  expect(response.headers.get("Connect-Content-Encoding")).toBeNull();
  // 100000 zeros are 133336 characters of base64.
  expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(133_336);
});
