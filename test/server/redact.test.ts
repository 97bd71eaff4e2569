import { expect, test } from "vitest";
import { redactor } from "../../src/server/redact.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const json = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

test.each([
  ["a bearer token", { authorization: "Bearer abcdefgh-token" }, "abcdefgh-token"],
  ["a whole header", { authorization: "Bearer abcdefgh-token" }, "Bearer abcdefgh-token"],
  ["the password of Basic credentials", { authorization: `Basic ${base64("user:pass:word:1")}` }, "pass:word:1"],
  ["Basic credentials as sent", { authorization: `Basic ${base64("user:password1")}` }, base64("user:password1")],
  ["a registry password", { "x-registry-auth": json({ username: "u", password: "p@ss wörd" }) }, "p@ss wörd"],
  ["a registry's auth", { "x-registry-auth": json({ auth: base64("user:password1") }) }, base64("user:password1")],
  ["what is in a registry's auth", { "x-registry-auth": json({ auth: base64("user:password1") }) }, "password1"],
  ["a registry token", { "x-registry-config": json({ "ghcr.io": { registrytoken: "tok-12345" } }) }, "tok-12345"],
  ["an identity token", { "x-registry-config": json({ "ghcr.io": { identitytoken: "tok-12345" } }) }, "tok-12345"],
  ["a cookie", { cookie: "session=abcdefgh" }, "session=abcdefgh"],
])("%s is taken out", (_, headers, secret) => {
  const text = redactor(headers)(`before ${secret} between ${secret} after`);
  expect(text).toBe("before [redacted] between [redacted] after");
});

test("words that are no secrets stay", () => {
  const headers = {
    authorization: "Bearer short",
    "x-registry-auth": json({ username: "registry-user", serveraddress: "registry.example", password: "12345678" }),
  };
  const text = "Bearer for registry-user at registry.example";
  expect(redactor(headers)(text)).toBe(text);
});

test("a header that cannot be read hides itself all the same", () => {
  expect(redactor({ "x-registry-auth": "%%%not-base64" })("got %%%not-base64!")).toBe("got [redacted]!");
});
