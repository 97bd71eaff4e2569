import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { descriptorToJson } from "../../src/oci/descriptor.ts";
import type { DescryError } from "../../src/oci/errors.ts";
import { MAX_MANIFEST_BYTES, parseManifest, requiredChildren } from "../../src/oci/manifest.ts";
import {
  DOCKER_INDEX,
  DOCKER_MANIFEST,
  DOCKER_SCHEMA1_SIGNED,
  OCI_INDEX,
  OCI_MANIFEST,
} from "../../src/oci/media-type.ts";
import { descriptors } from "./arbitraries.ts";
import { refusal } from "./refusal.ts";

const bytes = (json: unknown): Uint8Array =>
  new TextEncoder().encode(typeof json === "string" ? json : JSON.stringify(json));
const refused = (json: unknown, mediaType: string): DescryError | undefined =>
  refusal(() => parseManifest(bytes(json), mediaType));

const config = {
  mediaType: "application/vnd.oci.image.config.v1+json",
  digest: "sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7",
  size: 7023,
};
const layer = {
  mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
  digest: "sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0",
  size: 32654,
};
const subject = {
  mediaType: OCI_MANIFEST,
  digest: "sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270",
  size: 7682,
};
const annotations = { "com.example.key1": "value1", "com.example.key2": "value2" };
/** image-spec 1.1, manifest.md, "Example Image Manifest" (one layer of its three). */
const image = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer], subject, annotations };

const entry = { ...subject, platform: { architecture: "ppc64le", os: "linux" } };
/** image-spec 1.1, image-index.md, "Example Image Index" (one entry of its two). */
const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry], annotations };

describe("parseManifest", () => {
  it("reads an image manifest: config first, then the layers", () => {
    expect(parseManifest(bytes(image), OCI_MANIFEST)).toStrictEqual({
      mediaType: OCI_MANIFEST,
      children: [config, layer],
      subject,
      artifactType: config.mediaType,
      annotations,
    });
  });

  it("reads an index", () => {
    expect(parseManifest(bytes(index), OCI_INDEX)).toStrictEqual({
      mediaType: OCI_INDEX,
      children: [entry],
      annotations,
    });
    expect(parseManifest(bytes({ ...index, manifests: [] }), OCI_INDEX).children).toStrictEqual([]);
  });

  it("reads Docker's types, and a document that does not name its own", () => {
    const docker = { schemaVersion: 2, mediaType: DOCKER_MANIFEST, config, layers: [layer] };
    expect(parseManifest(bytes(docker), DOCKER_MANIFEST).children).toStrictEqual([config, layer]);
    const list = { schemaVersion: 2, mediaType: DOCKER_INDEX, manifests: [entry] };
    expect(parseManifest(bytes(list), DOCKER_INDEX).children).toStrictEqual([entry]);
    expect(parseManifest(bytes({ ...image, mediaType: undefined }), OCI_MANIFEST).children).toHaveLength(2);
    expect(parseManifest(bytes({ ...image, mediaType: "" }), OCI_MANIFEST).children).toHaveLength(2);
  });

  // distribution-spec, "Listing Referrers": the artifactType of the list.
  it.each([
    [image, OCI_MANIFEST, config.mediaType],
    [{ ...image, artifactType: "application/spdx+json" }, OCI_MANIFEST, "application/spdx+json"],
    [{ ...image, artifactType: "" }, OCI_MANIFEST, config.mediaType],
    [{ ...index, artifactType: "application/spdx+json" }, OCI_INDEX, "application/spdx+json"],
    [index, OCI_INDEX, undefined],
  ])("shows the artifact type that the referrers list shows", (json, mediaType, artifactType) => {
    expect(parseManifest(bytes(json), mediaType).artifactType).toBe(artifactType);
  });

  it("takes fields, media types and annotations it does not know (distribution-spec: MUST NOT be rejected)", () => {
    const odd = { ...layer, mediaType: "application/x.never-seen", annotations: { "": "" }, "x-future": {} };
    const json = { ...image, layers: [odd], future: { deep: [null] }, "": 1 };
    expect(parseManifest(bytes(json), OCI_MANIFEST).children[1]).toMatchObject({
      mediaType: "application/x.never-seen",
    });
    expect(parseManifest(bytes({ ...image, layers: [] }), OCI_MANIFEST).children).toStrictEqual([config]);
    expect(parseManifest(bytes({ ...image, subject: null, annotations: null }), OCI_MANIFEST)).toStrictEqual({
      mediaType: OCI_MANIFEST,
      children: [config, layer],
      artifactType: config.mediaType,
    });
  });

  it.each([DOCKER_SCHEMA1_SIGNED, "application/x.own", ""])("does not look into bytes of type %j", (mediaType) => {
    expect(parseManifest(bytes("\xff no JSON"), mediaType)).toStrictEqual({ mediaType, children: [] });
  });

  // CVE-2021-41190: one digest, two readings.
  it.each([
    [{ ...image, manifests: [entry] }, OCI_MANIFEST],
    [{ ...image, manifests: null }, OCI_MANIFEST],
    [{ ...index, layers: [layer] }, OCI_INDEX],
    [{ ...index, layers: [] }, OCI_INDEX],
    [{ ...index, config }, OCI_INDEX],
    [{ ...index, mediaType: undefined, config, layers: [layer] }, OCI_INDEX],
    [{ ...index, mediaType: DOCKER_INDEX, config }, DOCKER_INDEX],
  ])("refuses a document that is an image and an index", (json, mediaType) => {
    expect(refused(json, mediaType)).toMatchObject({ reason: "MANIFEST_INVALID", code: "invalid_argument" });
    expect(refused(json, mediaType)?.message).toContain("manifests and also config or layers");
  });

  it.each([
    [{ ...image, mediaType: OCI_INDEX }, OCI_MANIFEST, `calls itself "${OCI_INDEX}"`],
    [{ ...image, mediaType: DOCKER_MANIFEST }, OCI_MANIFEST, "calls itself"],
    [{ ...image, mediaType: {} }, OCI_MANIFEST, "no string"],
    [{ ...image, mediaType: `\u009b${"x".repeat(1000)}` }, OCI_MANIFEST, String.raw`"\u009bx`],
    [{ ...image, schemaVersion: 1 }, OCI_MANIFEST, "schemaVersion"],
    [{ ...image, schemaVersion: "2" }, OCI_MANIFEST, "schemaVersion"],
    [{}, OCI_INDEX, "schemaVersion"],
    [index, OCI_MANIFEST, "calls itself"],
    [{ ...index, mediaType: undefined }, OCI_MANIFEST, "config is no object"],
    [{ ...image, mediaType: undefined }, OCI_INDEX, "manifests is no list"],
    [{ ...image, config: undefined }, OCI_MANIFEST, "config is no object"],
    [{ ...image, layers: undefined }, OCI_MANIFEST, "layers is no list"],
    [{ ...image, layers: { length: 1 } }, OCI_MANIFEST, "layers is no list"],
    [{ ...image, layers: [layer, { ...layer, size: -1 }] }, OCI_MANIFEST, "layers[1] has a size"],
    [{ ...index, manifests: [{}] }, OCI_INDEX, "manifests[0] has no digest"],
    [{ ...image, subject: "sha256:00" }, OCI_MANIFEST, "subject is no object"],
    [{ ...image, annotations: { a: 1 } }, OCI_MANIFEST, "it has an annotation"],
    [{ ...image, artifactType: 1 }, OCI_MANIFEST, "artifactType"],
    ["", OCI_MANIFEST, "no JSON"],
    ["null", OCI_MANIFEST, "no JSON object"],
    ["[]", OCI_INDEX, "no JSON object"],
    [`\ufeff${JSON.stringify(index)}`, OCI_INDEX, "no JSON"],
    [`${JSON.stringify(index)}x`, OCI_INDEX, "no JSON"],
  ])("refuses what contradicts its type: %#", (json, mediaType, why) => {
    const error = refused(json, mediaType);
    expect(error).toMatchObject({ reason: "MANIFEST_INVALID" });
    expect(error?.message).toContain(why);
    expect(error?.message).toMatch(/^[ -~]{1,300}$/);
  });

  it("refuses bytes that are no UTF-8", () => {
    const broken = bytes(index);
    broken[20] = 0xff;
    expect(refusal(() => parseManifest(broken, OCI_INDEX))).toMatchObject({ reason: "MANIFEST_INVALID" });
  });

  it("reads the largest manifest there may be, wide or deep", () => {
    // types.proto, ContentKind
    expect(MAX_MANIFEST_BYTES).toBe(4_194_304);
    const one = JSON.stringify(layer);
    const wide = `{"schemaVersion":2,"manifests":[${Array(Math.floor((MAX_MANIFEST_BYTES - 100) / (one.length + 1)))
      .fill(one)
      .join(",")}]}`;
    expect(wide.length).toBeGreaterThan(MAX_MANIFEST_BYTES - 1000);
    expect(parseManifest(bytes(wide), OCI_INDEX).children.length).toBeGreaterThan(20_000);
    expect(requiredChildren(parseManifest(bytes(wide), OCI_INDEX))).toStrictEqual([layer.digest]);
    const depth = MAX_MANIFEST_BYTES / 2 - 100;
    const deep = `{"schemaVersion":2,"manifests":[],"x":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    expect(parseManifest(bytes(deep), OCI_INDEX).children).toStrictEqual([]);
  });

  it("has the children that its JSON has", () => {
    fc.assert(
      fc.property(fc.array(descriptors, { maxLength: 5 }), descriptors, (children, first) => {
        const list = { schemaVersion: 2, manifests: children.map(descriptorToJson) };
        expect(parseManifest(bytes(list), OCI_INDEX).children).toStrictEqual(children);
        const whole = { schemaVersion: 2, config: descriptorToJson(first), layers: children.map(descriptorToJson) };
        expect(parseManifest(bytes(whole), OCI_MANIFEST).children).toStrictEqual([first, ...children]);
      }),
    );
  });

  it("throws nothing but a DescryError, whatever the bytes or the JSON", () => {
    const types = fc.constantFrom(OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST);
    const near = fc.record(
      {
        schemaVersion: fc.constant(2),
        mediaType: fc.oneof(types, fc.jsonValue()),
        config: fc.jsonValue(),
        layers: fc.array(fc.jsonValue()),
        manifests: fc.oneof(fc.array(descriptors.map(descriptorToJson)), fc.jsonValue()),
        subject: fc.jsonValue(),
        annotations: fc.jsonValue(),
        artifactType: fc.jsonValue(),
      },
      { requiredKeys: ["schemaVersion"] },
    );
    const any = fc.oneof(fc.uint8Array({ maxLength: 200 }), near.map(bytes), fc.json().map(bytes));
    fc.assert(
      fc.property(any, types, (content, mediaType) => {
        refusal(() => parseManifest(content, mediaType));
      }),
    );
  });
});

describe("requiredChildren", () => {
  it("are those that cannot be had elsewhere, each once (image-spec: foreign layers have urls)", () => {
    const foreign = { ...subject, urls: ["https://example.com/layer"] };
    const here = { ...layer, urls: [] };
    const manifest = parseManifest(bytes({ ...image, layers: [layer, foreign, here] }), OCI_MANIFEST);
    expect(requiredChildren(manifest)).toStrictEqual([config.digest, layer.digest]);
  });
});
