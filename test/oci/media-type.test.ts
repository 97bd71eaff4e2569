import { describe, expect, it } from "vitest";
import {
  DOCKER_INDEX,
  DOCKER_MANIFEST,
  DOCKER_SCHEMA1,
  DOCKER_SCHEMA1_SIGNED,
  isImageManifest,
  isIndex,
  isManifest,
  isMediaType,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
} from "../../src/oci/media-type.ts";

describe("media types", () => {
  // image-spec, media-types.md; distribution, docs/spec/manifest-v2-2.md; and ContentKind of the contract.
  it.each([
    [OCI_INDEX, "application/vnd.oci.image.index.v1+json", "index"],
    [DOCKER_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json", "index"],
    [OCI_MANIFEST, "application/vnd.oci.image.manifest.v1+json", "image"],
    [DOCKER_MANIFEST, "application/vnd.docker.distribution.manifest.v2+json", "image"],
    [DOCKER_SCHEMA1, "application/vnd.docker.distribution.manifest.v1+json", "opaque"],
    [DOCKER_SCHEMA1_SIGNED, "application/vnd.docker.distribution.manifest.v1+prettyjws", "opaque"],
    [OCI_CONFIG, "application/vnd.oci.image.config.v1+json", "blob"],
    [OCI_LAYER, "application/vnd.oci.image.layer.v1.tar", "blob"],
    ["", "", "blob"],
  ])("%s", (constant, spelled, is) => {
    expect(constant).toBe(spelled);
    expect({
      index: isIndex(constant),
      image: isImageManifest(constant),
      manifest: isManifest(constant),
    }).toStrictEqual({
      index: is === "index",
      image: is === "image",
      manifest: is !== "blob",
    });
  });

  // RFC 6838 §4.2.
  it.each([
    "a/b",
    "application/vnd.oci.image.manifest.v1+json",
    "x-A1/a!#$&-^_.+",
    `${"a".repeat(127)}/${"b".repeat(127)}`,
  ])("takes %s", (text) => {
    expect(isMediaType(text)).toBe(true);
  });

  it.each([
    "",
    "a",
    "a/",
    "/a",
    "a/b/c",
    "a/b; q=1",
    "a/ b",
    "*/*",
    ".a/b",
    "a/+b",
    "a/é",
    "a/b\n",
    `${"a".repeat(128)}/b`,
    `a/${"b".repeat(128)}`,
  ])("refuses %j", (text) => {
    expect(isMediaType(text)).toBe(false);
  });
});
