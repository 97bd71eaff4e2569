import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatReference,
  isDigestTag,
  isTag,
  MAX_REFERENCE_BYTES,
  parseReference,
  parseRepository,
  pinnedReference,
  repositoryOf,
  withDefaultTag,
} from "../../src/oci/reference.ts";
import { digests, references } from "./arbitraries.ts";
import { refusal } from "./refusal.ts";

const HEX = "0123456789abcdef".repeat(4);
const SHA256 = `sha256:${HEX}`;
const SHA512 = `sha512:${HEX}${HEX}`;

// Expected values: ParseNormalizedNamed of github.com/distribution/reference v0.6.0 with go-digest v1.0.0, asked by
// a Go program. The same program and parseReference agreed on 150 000 random texts, but for what the last tables name.
describe("references as distribution/reference reads them", () => {
  it.each([
    // text, host, path, tag, digest
    ["alpine", "docker.io", "library/alpine"],
    ["alpine:3.20", "docker.io", "library/alpine", "3.20"],
    [`alpine@${SHA256}`, "docker.io", "library/alpine", undefined, SHA256],
    [`alpine:3.20@${SHA512}`, "docker.io", "library/alpine", "3.20", SHA512],
    ["team/app", "docker.io", "team/app"],
    ["docker.io/alpine", "docker.io", "library/alpine"],
    ["docker.io/library/alpine", "docker.io", "library/alpine"],
    ["index.docker.io/alpine", "docker.io", "library/alpine"],
    ["index.docker.io/team/app:1", "docker.io", "team/app", "1"],
    ["INDEX.docker.io/alpine", "INDEX.docker.io", "alpine"],
    ["docker.io:443/alpine", "docker.io:443", "alpine"],
    ["registry.example/alpine", "registry.example", "alpine"],
    ["Registry.Example/a", "Registry.Example", "a"],
    ["FOO/bar", "FOO", "bar"],
    ["localhost", "docker.io", "library/localhost"],
    ["localhost:5000", "docker.io", "library/localhost", "5000"],
    ["localhost/a", "localhost", "a"],
    ["localhost:5000/a/b:c", "localhost:5000", "a/b", "c"],
    ["myhost/a", "docker.io", "myhost/a"],
    ["myhost:5000/a", "myhost:5000", "a"],
    ["127.0.0.1:5000/a", "127.0.0.1:5000", "a"],
    ["[::1]/a", "[::1]", "a"],
    ["[fe80::1]:5000/a:b", "[fe80::1]:5000", "a", "b"],
    ["[1]:5/a", "[1]:5", "a"],
    ["xn--bcher-kva.example/a", "xn--bcher-kva.example", "a"],
    ["a__b/c--d.e_f", "docker.io", "a__b/c--d.e_f"],
    [`registry.example/${HEX}`, "registry.example", HEX],
    [HEX.slice(1), "docker.io", `library/${HEX.slice(1)}`],
    [`${HEX}:tag`, "docker.io", `library/${HEX}`, "tag"],
    [`a:${"t".repeat(128)}`, "docker.io", "library/a", "t".repeat(128)],
    ["a:_.-A", "docker.io", "library/a", "_.-A"],
    [`r.example/${"p".repeat(255)}`, "r.example", "p".repeat(255)],
    ["p".repeat(247), "docker.io", `library/${"p".repeat(247)}`],
  ])("%s", (text, host, path, tag?: string, digest?: string) => {
    const expected = { host, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
    expect(parseReference(text)).toStrictEqual(expected);
  });

  it.each([
    ["a/", "not of the form"],
    ["/a", "not of the form"],
    ["a//b", "not of the form"],
    ["a/b/", "not of the form"],
    ["a..b", "not of the form"],
    ["a___b", "not of the form"],
    ["a_-b", "not of the form"],
    ["-a", "not of the form"],
    ["a b", "not of the form"],
    ["bücher/a", "not of the form"],
    ["a\n", "not of the form"],
    ["a/B", "upper case"],
    ["Alpine", "upper case"],
    ["docker.io/Library/a", "upper case"],
    [".example/a", "no host[:port]"],
    ["example./a", "no host[:port]"],
    ["-a.example/a", "no host[:port]"],
    ["a-.example/a", "no host[:port]"],
    ["bü.example/a", "no host[:port]"],
    ["a:/b", "no host[:port]"],
    ["a:b/c", "no host[:port]"],
    ["::1/a", "no host[:port]"],
    ["[]/a:b", "not of the form"],
    ["[::1%25eth0]/a", "no host[:port]"],
    ["https://registry.example/a", "no host[:port]"],
    ["user@registry.example/a", "digest"],
    ["registry.example/", "no repository"],
    ["registry.example/:a", "no repository"],
    ["a:", "tag"],
    ["a:.b", "tag"],
    ["a:-b", "tag"],
    ["a:b:c", "tag"],
    ["a:é", "tag"],
    [`a:${"t".repeat(129)}`, "tag"],
    ["a@", "digest"],
    [`a@${SHA256}@${SHA256}`, "digest"],
    [`a@sha256:${HEX.slice(1)}`, "64 lower-case hex"],
    [`a@sha256:${HEX.toUpperCase()}`, "64 lower-case hex"],
    [`a@sha512:${HEX}`, "128 lower-case hex"],
    [`@${SHA256}`, "no repository"],
    [`r.example/${"p".repeat(256)}`, "longer than 255"],
    ["p".repeat(248), "longer than 255"],
  ])("refuses %j", (text, why) => {
    const error = refusal(() => parseReference(text, "target.ref"));
    expect(error).toMatchObject({ reason: "FIELD_INVALID", violations: [{ field: "target.ref" }] });
    expect(error?.message).toContain(why);
  });
});

describe("where descry differs from distribution/reference", () => {
  it.each([HEX, SHA256])("%s is no name: ParseAnyReference reads it as an identifier first", (text) => {
    expect(refusal(() => parseReference(text))).toMatchObject({
      reason: "NOT_A_REFERENCE",
      metadata: { use: "repository@digest" },
    });
  });

  it("takes a digest of an algorithm it cannot verify (image-spec): a name may hold what only others can check", () => {
    expect(parseReference("a@blake3:00ff")).toMatchObject({ digest: "blake3:00ff" });
  });

  it("refuses what looks like a host and is none, which distribution/reference takes as a path of no host", () => {
    expect(refusal(() => parseReference("ex_ample.com/a"))?.message).toContain("no host[:port]");
  });

  it.each(["Descry.Local/a", "DESCRY.LOCAL/a"])(
    "%s is the embedded registry: no spelling of it reaches DNS",
    (text) => {
      expect(parseReference(text)).toStrictEqual({ host: "descry.local", path: "a" });
    },
  );

  it.each(["descry.local:443/a", "DESCRY.local:7070/a:b"])("refuses %s: the embedded registry has no port", (text) => {
    expect(refusal(() => parseReference(text))?.message).toContain("has a port on descry.local");
  });

  it("leaves hosts alone that only begin like the embedded registry", () => {
    expect(parseReference("descry.localhost/a").host).toBe("descry.localhost");
    expect(parseReference("Descry.local.example:1/a").host).toBe("Descry.local.example:1");
  });

  it("bounds what has no bound there: the text, and host and path together", () => {
    const host = `${"h.".repeat(127)}h`;
    expect(parseReference(`${host}/${"p".repeat(255)}`)).toMatchObject({ host });
    expect(parseRepository(`${host}/${"p".repeat(255)}`)).toMatchObject({ host });
    expect(refusal(() => parseReference(`h${host}/${"p".repeat(255)}`))?.message).toContain("longer than 511");
    const long = `r.example/${"p/".repeat(100)}p:${"t".repeat(MAX_REFERENCE_BYTES)}`;
    expect(refusal(() => parseReference(long))?.message).toContain("longer than 1024");
    expect(refusal(() => parseReference(""))).toMatchObject({
      violations: [{ field: "ref", description: "is empty; give host/path[:tag][@digest]" }],
    });
  });
});

describe("what becomes of a reference", () => {
  it("prints the canonical text", () => {
    expect(formatReference(parseReference(`alpine:3@${SHA256}`))).toBe(`docker.io/library/alpine:3@${SHA256}`);
    expect(repositoryOf(parseReference("alpine:3"))).toBe("docker.io/library/alpine");
    expect(pinnedReference(parseReference("descry.local/a:b"), `sha256:${HEX}`)).toBe(`descry.local/a@${SHA256}`);
  });

  it("means latest where a read names neither tag nor digest", () => {
    expect(formatReference(withDefaultTag(parseReference("a")))).toBe("docker.io/library/a:latest");
    expect(formatReference(withDefaultTag(parseReference("a:b")))).toBe("docker.io/library/a:b");
    expect(formatReference(withDefaultTag(parseReference(`a@${SHA256}`)))).toBe(`docker.io/library/a@${SHA256}`);
  });

  it("names a repository only without tag and digest", () => {
    expect(parseRepository("descry.local/a/b")).toStrictEqual({ host: "descry.local", path: "a/b" });
    expect(refusal(() => parseRepository("a:b"))?.message).toMatch(/^repository: .*tag or a digest/);
    expect(refusal(() => parseRepository(`a@${SHA256}`))?.message).toContain("tag or a digest");
    expect(refusal(() => parseRepository(`r.example/${"p".repeat(600)}`))?.message).toContain("longer than 511");
  });

  it("knows tags, and those that stand for a digest", () => {
    expect(["a", "_", "A.b-c", "t".repeat(128)].every(isTag)).toBe(true);
    expect(["", ".", "-a", "a/b", "a:b", "é", "a\n", "t".repeat(129)].some(isTag)).toBe(false);
    expect([`sha256-${HEX}`, `sha256-${HEX}.sig`, `sha512-${HEX}`].every(isDigestTag)).toBe(true);
    expect(
      ["sha256", `sha256-${HEX.slice(1)}`, `sha256-${HEX.toUpperCase()}`, `x-sha256-${HEX}`].some(isDigestTag),
    ).toBe(false);
  });

  it("prints what it read, and reads what it printed as the same", () => {
    fc.assert(
      fc.property(references, (text) => {
        const reference = parseReference(text);
        expect(parseReference(formatReference(reference))).toStrictEqual(reference);
        expect(parseRepository(repositoryOf(reference))).toStrictEqual({ host: reference.host, path: reference.path });
        // docker.io/a is the one text with a host that is completed.
        if (reference.host !== "docker.io") expect(formatReference(reference)).toBe(text);
      }),
    );
    fc.assert(
      fc.property(references, digests, (text, digest) => {
        const { host, path } = parseReference(text);
        expect(parseReference(pinnedReference({ host, path }, digest))).toStrictEqual({ host, path, digest });
      }),
    );
  });

  it("throws nothing but a DescryError at any text", () => {
    const pieces = fc.constantFrom(
      "a",
      "A",
      ":",
      "/",
      "@",
      ".",
      "-",
      "_",
      "[",
      "]",
      "localhost",
      "docker.io",
      SHA256,
      HEX,
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.array(pieces).map((all) => all.join("")),
        ),
        (text) => {
          refusal(() => parseReference(text));
          refusal(() => parseRepository(text));
        },
      ),
    );
  });
});
