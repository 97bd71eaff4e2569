import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createAuthenticator } from "../../src/config/authenticator.ts";
import type { CallerEntry } from "../../src/config/callers.ts";

const hash = (token: string): string => createHash("sha256").update(token).digest("hex");
const callers: readonly CallerEntry[] = [
  { name: "reader", tokenSha256: hash("r-token"), allow: [{ verbs: ["pull"], repositories: ["*"] }] },
  {
    name: "ci",
    tokenSha256: hash("ci-token"),
    allow: [{ verbs: ["pull", "push"], repositories: ["descry.local/team/*"] }],
  },
];
const tcp = { unix: false };

describe("with callers", () => {
  const authenticate = createAuthenticator(callers);

  test.each([
    ["Bearer r-token", "reader"],
    ["bearer ci-token", "ci"],
    ["BEARER   ci-token ", "ci"],
  ])("%j is %s", (authorization, name) => {
    expect(authenticate(new Headers({ authorization }), tcp)).toMatchObject({ name, anonymous: false });
  });

  test.each([
    "",
    "Bearer",
    "Bearer ",
    "Basic ci-token",
    "ci-token",
    "Bearer ci-toke",
    "Bearer ci-token2",
    "Bearer ci-token, x",
  ])("%j is nobody", (authorization) => {
    const call = () => authenticate(new Headers({ authorization }), tcp);
    expect(call).toThrow(expect.objectContaining({ reason: "CALLER_UNAUTHENTICATED", code: "unauthenticated" }));
    // What was tried never comes back in the message.
    expect(call).not.toThrow(/ci-tok/);
  });

  test("no header is nobody, except on a unix socket", () => {
    expect(() => authenticate(new Headers(), tcp)).toThrow(
      expect.objectContaining({ reason: "CALLER_UNAUTHENTICATED" }),
    );
    expect(authenticate(new Headers(), { unix: true })).toMatchObject({ name: "local" });
  });

  test("a caller has the rights of its grants", () => {
    const ci = authenticate(new Headers({ authorization: "Bearer ci-token" }), tcp);
    expect(ci.may("push", "descry.local/team/app")).toBe(true);
    expect(ci.may("push", "descry.local/other")).toBe(false);
    expect(ci.may("delete", "descry.local/team/app")).toBe(false);
  });
});

test("without callers everybody is anonymous", () => {
  const authenticate = createAuthenticator([]);
  expect(authenticate(new Headers(), tcp)).toMatchObject({ anonymous: true });
  expect(authenticate(new Headers({ authorization: "Bearer x" }), tcp).may("delete", "descry.local/a")).toBe(true);
});
