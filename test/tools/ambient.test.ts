import { RuleTester } from "oxlint/plugins-dev";
import { describe, it } from "vitest";
import { noAmbient } from "./ambient.ts";

RuleTester.describe = describe;
RuleTester.it = it;

const tester = new RuleTester({
  languageOptions: { env: { builtin: true, node: true }, parserOptions: { lang: "ts" } },
});
const wrong = (code: string, errors = 1) => ({ code, errors });

tester.run("no-ambient", noAmbient, {
  valid: [
    "new Date(at).toISOString();",
    "export const expired = (now: () => number, at: number) => now() > at;",
    "function later(setTimeout: (run: () => void) => void) { setTimeout(() => {}); }",
    'import { createHash } from "node:crypto"; createHash("sha256");',
    "clock.setTimeout(() => {}, 10);",
    { code: "setTimeout(() => {}, 10);", options: ["setTimeout"] },
  ],
  invalid: [
    wrong("Date.now();"),
    wrong("const now = Date.now;"),
    wrong("new Date().toISOString();"),
    wrong("performance.now();"),
    wrong("Math.random();"),
    wrong("crypto.randomUUID();"),
    wrong("setTimeout(() => {}, 10);"),
    { ...wrong("setTimeout(() => {}, Date.now());"), options: ["setTimeout"] },
    wrong("const start = setInterval;"),
    wrong("globalThis.setTimeout(() => {}, 10);"),
    wrong('import { randomBytes as bytes, createHash } from "node:crypto"; createHash(String(bytes(4)));'),
    wrong('import { setTimeout as sleep } from "node:timers/promises"; await sleep(1);'),
  ],
});
