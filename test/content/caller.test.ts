import { describe, expect, test } from "vitest";
import { anonymousCaller, createCaller, localCaller, type Verb } from "../../src/content/caller.ts";

/** Patterns (design §6 A) and what they cover. */
test.each([
  ["*", "descry.local/a", true],
  ["*", "registry.example:5000/a/b", true],
  ["descry.local/a", "descry.local/a", true],
  ["descry.local/a", "descry.local/a/b", false],
  ["descry.local/a", "descry.local/ab", false],
  ["descry.local/a", "descry.example/a", false],
  ["descry.local/*", "descry.local/a/b", true],
  ["descry.local/a/*", "descry.local/a/b", true],
  ["descry.local/a/*", "descry.local/a", false],
  ["descry.local/a/*", "descry.local/ab", false],
  ["descry.local/a/*", "descry.local/a/b/c", true],
])("%s covers %s: %s", (pattern, repository, covered) => {
  const caller = createCaller("c", [{ verbs: ["pull"], repositories: ["descry.local/other", pattern] }]);
  expect(caller.may("pull", repository)).toBe(covered);
});

describe("a caller's verbs", () => {
  const caller = createCaller("c", [
    { verbs: ["pull"], repositories: ["descry.local/a"] },
    { verbs: ["push"], repositories: ["descry.local/b"] },
  ]);
  test.each<[Verb, string, boolean]>([
    ["pull", "descry.local/a", true],
    ["push", "descry.local/a", false],
    ["push", "descry.local/b", true],
    ["pull", "descry.local/b", false],
    ["delete", "descry.local/a", false],
  ])("%s at %s: %s", (verb, repository, allowed) => {
    expect(caller.may(verb, repository)).toBe(allowed);
  });

  test("are asked for in general before a body is read", () => {
    expect((["pull", "push", "delete"] as const).map((verb) => caller.mayAnywhere(verb))).toEqual([true, true, false]);
    expect(createCaller("none", []).mayAnywhere("pull")).toBe(false);
  });
});

test("the local caller is nobody's public, the anonymous one everybody's", () => {
  for (const caller of [localCaller, anonymousCaller])
    for (const verb of ["pull", "push", "delete"] as const) expect(caller.may(verb, "descry.local/a")).toBe(true);
  expect([localCaller.anonymous, anonymousCaller.anonymous]).toEqual([false, true]);
});
