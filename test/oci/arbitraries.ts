import fc from "fast-check";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import type { Digest } from "../../src/oci/digest.ts";
import type { Platform } from "../../src/oci/platform.ts";

/** Values for properties, written from the grammars of the specifications and not from the parsers they test. */

const lowerHex = "0123456789abcdef";
const lower = "abcdefghijklmnopqrstuvwxyz0123456789";
const letters = `${lower}ABCDEFGHIJKLMNOPQRSTUVWXYZ`;

function word(alphabet: string, minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...alphabet.split("")), minLength, maxLength });
}

/** image-spec, "Registered Algorithms", and one algorithm that nobody registered. */
export const digests: fc.Arbitrary<Digest> = fc.oneof(
  word(lowerHex, 64, 64).map((hex): Digest => `sha256:${hex}`),
  word(lowerHex, 128, 128).map((hex): Digest => `sha512:${hex}`),
  word(`${letters}=_-`, 1, 40).map((encoded): Digest => `x-new+b64u:${encoded}`),
);

const pathComponents = fc
  .tuple(
    word(lower, 1, 6),
    fc.array(fc.tuple(fc.constantFrom(".", "_", "__", "-", "---"), word(lower, 1, 5)), { maxLength: 2 }),
  )
  .map(([first, rest]) => first + rest.flat().join(""));

/** distribution/reference: domain, with what makes it one: a dot, a port, `localhost`, upper case or brackets. */
const hosts = fc
  .tuple(
    fc.oneof(
      word(letters, 1, 8).map((label) => `${label}.example`),
      fc.constantFrom("localhost", "127.0.0.1", "[::1]", "[fe80::A]", "A", "xn--bcher-kva.example", "docker.io"),
    ),
    fc.option(fc.nat(65_535), { nil: undefined }),
  )
  .map(([host, port]) => (port === undefined ? host : `${host}:${port}`));

/** References whose host is stated. */
export const references: fc.Arbitrary<string> = fc
  .tuple(
    hosts,
    fc.array(pathComponents, { minLength: 1, maxLength: 4 }),
    fc.option(fc.tuple(word(`${letters}_`, 1, 1), word(`${letters}_.-`, 0, 127)), { nil: undefined }),
    fc.option(digests, { nil: undefined }),
  )
  .map(([host, path, tag, digest]) => {
    const tagText = tag === undefined ? "" : `:${tag.join("")}`;
    return `${host}/${path.join("/")}${tagText}${digest === undefined ? "" : `@${digest}`}`;
  });

const oses = fc.constantFrom("linux", "windows", "darwin", "freebsd", "unknown", "Linux", "macos");
const architectures = fc.constantFrom(
  "amd64",
  "386",
  "arm",
  "arm64",
  "riscv64",
  "x86_64",
  "aarch64",
  "armhf",
  "unknown",
);
const variants = fc.constantFrom("v1", "v2", "v5", "v7", "v8", "v8.2", "v9", "v9.1", "8", "other");
const features = fc.uniqueArray(fc.constantFrom("win32k", "a", "b", "c/d", "e f"), { minLength: 1, maxLength: 3 });

/** Platforms as an index may state them; fields that say nothing are left out. */
export const platforms: fc.Arbitrary<Platform> = fc.record(
  {
    os: oses,
    architecture: architectures,
    variant: variants,
    osVersion: fc.constantFrom("10.0.17763.1", "10.0.20348", "10.0.26100.4061", "10.0", "(1+2)%/"),
    osFeatures: features,
  },
  { requiredKeys: ["os", "architecture"], noNullPrototype: true },
);

/** Descriptors with every field of image-spec's descriptor.md; fields that say nothing are left out. */
export const descriptors: fc.Arbitrary<Descriptor> = fc.record(
  {
    mediaType: fc.constantFrom("", "application/vnd.oci.image.manifest.v1+json", "text/plain"),
    digest: digests,
    size: fc.nat(Number.MAX_SAFE_INTEGER),
    annotations: fc.dictionary(fc.string(), fc.string(), { minKeys: 1, noNullPrototype: true }),
    platform: platforms,
    artifactType: fc.constantFrom("application/spdx+json", "application/vnd.example"),
    urls: fc.array(fc.webUrl(), { minLength: 1, maxLength: 3 }),
    data: fc.uint8Array({ minLength: 1, maxLength: 100 }),
  },
  { requiredKeys: ["mediaType", "digest", "size"], noNullPrototype: true },
);
