import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DescryError, isReason } from "../../src/oci/errors.ts";

const proto = readFileSync(new URL("../../proto/descry/v1/errors.proto", import.meta.url), "utf8");

/** The contract's table: each reason with the code that its comment gives first. */
const table = [...proto.matchAll(/\/\/ \[(\w+)[^\]]*\](?:.*\n\s*\/\/)*.*\n\s*ERROR_REASON_(\w+) = \d+;/g)].map(
  ([, code = "", reason = ""]) => ({ reason, code }),
);

describe("reasons", () => {
  it("are those of errors.proto, each with its code", () => {
    expect(table).toHaveLength(proto.match(/ERROR_REASON_\w+ = [1-9]/g)?.length ?? 0);
    for (const { reason, code } of table) {
      if (!isReason(reason)) throw new Error(`${reason} is in errors.proto and not in errors.ts`);
      expect({ reason, code: new DescryError(reason, "").code }).toStrictEqual({ reason, code });
    }
  });

  it("are no others, and no names that every object has", () => {
    for (const text of ["UNSPECIFIED", "", "toString", "__proto__", "tag_unknown"]) expect(isReason(text)).toBe(false);
  });
});

describe("DescryError", () => {
  it("is an Error with a name and a cause", () => {
    const cause = new Error("below");
    const error = new DescryError("TAG_UNKNOWN", "no such tag", { cause, ref: "descry.local/a:b" });
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe("DescryError: no such tag");
    expect(error).toMatchObject({ cause, ref: "descry.local/a:b", code: "not_found", violations: [], platforms: [] });
    expect("cause" in new DescryError("TAG_UNKNOWN", "")).toBe(false);
  });

  it("takes a code that overrides the reason's, and has one without a reason", () => {
    expect(new DescryError("DIGEST_MISMATCH", "").code).toBe("invalid_argument");
    expect(new DescryError("DIGEST_MISMATCH", "", { code: "data_loss" }).code).toBe("data_loss");
    expect(new DescryError(undefined, "").code).toBe("unknown");
    expect(new DescryError(undefined, "", { code: "canceled" }).code).toBe("canceled");
  });

  it("lists every broken rule", () => {
    const violations = [
      { field: "ref", description: "is empty" },
      { field: "descs[3].size", description: "is negative" },
    ];
    expect(DescryError.fields(violations)).toMatchObject({
      reason: "FIELD_INVALID",
      code: "invalid_argument",
      message: "ref: is empty; descs[3].size: is negative",
      violations,
    });
    expect(DescryError.field("ref", "is empty").violations).toStrictEqual(violations.slice(0, 1));
  });
});
