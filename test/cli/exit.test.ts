import { describe, expect, test } from "vitest";
import { exitCodeOf } from "../../src/cli/exit.ts";
import { type Code, DescryError, type Reason } from "../../src/oci/errors.ts";

// design.md §4: 0 ok · 1 failure · 2 usage · 3 not found · 4 unauthenticated or denied · 5 rate limited ·
// 6 unavailable or timed out · 7 corrupt or digest mismatch · 8 undecidable.
describe("exit codes", () => {
  test.each<[Reason, number]>([
    ["FIELD_INVALID", 2],
    ["NOT_A_REFERENCE", 2],
    ["TAG_UNKNOWN", 3],
    ["REPOSITORY_UNKNOWN", 3],
    ["CONTENT_UNKNOWN", 3],
    ["PLATFORM_UNKNOWN", 3],
    ["CALLER_UNAUTHENTICATED", 4],
    ["CALLER_DENIED", 4],
    ["REGISTRY_DENIED", 4],
    ["RATE_LIMITED", 5],
    ["REGISTRY_UNAVAILABLE", 6],
    ["DRAINING", 6],
    ["DIGEST_MISMATCH", 7],
    ["SIZE_MISMATCH", 7],
    ["STORE_CORRUPT", 7],
    ["PLATFORM_AMBIGUOUS", 8],
    ["TAG_CHANGED", 1],
    ["CHILD_MISSING", 1],
    ["MANIFEST_INVALID", 1],
    ["STORAGE_FULL", 1],
    ["INTERNAL", 1],
  ])("%s is %d", (reason, code) => {
    expect(exitCodeOf(new DescryError(reason, ""))).toBe(code);
  });

  test.each<[Code, number]>([
    ["unavailable", 6],
    ["deadline_exceeded", 6],
    ["data_loss", 7],
    ["unimplemented", 1],
    ["canceled", 1],
  ])("%s without a reason is %d", (code, exit) => {
    expect(exitCodeOf(new DescryError(undefined, "", { code }))).toBe(exit);
  });

  test("wrong bytes are corrupt, whether pushed or fetched", () => {
    expect(exitCodeOf(new DescryError("DIGEST_MISMATCH", "", { code: "data_loss" }))).toBe(7);
  });

  test("anything else is a failure", () => {
    expect(exitCodeOf(new Error("x"))).toBe(1);
    expect(exitCodeOf("x")).toBe(1);
  });
});
