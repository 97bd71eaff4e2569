import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Descriptor, descriptorFromJson, descriptorToJson, stringMap } from "../../src/oci/descriptor.ts";
import { descriptors } from "./arbitraries.ts";

function wrong(why: string): never {
  throw new Error(`it ${why}`);
}

const read = (json: unknown): Descriptor => descriptorFromJson(json, wrong);

const manifest = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  size: 7682,
  digest: "sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270",
};

describe("descriptors in OCI JSON", () => {
  // image-spec 1.1: the examples of descriptor.md and image-index.md, and manifest.md's empty descriptor.
  it.each<[json: object, descriptor: object]>([
    [manifest, manifest],
    [
      { ...manifest, urls: ["https://example.com/example-manifest"] },
      { ...manifest, urls: ["https://example.com/example-manifest"] },
    ],
    [
      { ...manifest, artifactType: "application/vnd.example+type" },
      { ...manifest, artifactType: "application/vnd.example+type" },
    ],
    [
      {
        mediaType: "application/vnd.oci.empty.v1+json",
        digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        size: 2,
        data: "e30=",
      },
      {
        mediaType: "application/vnd.oci.empty.v1+json",
        digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        size: 2,
        data: new TextEncoder().encode("{}"),
      },
    ],
    [
      {
        ...manifest,
        platform: { architecture: "ppc64le", os: "linux" },
        annotations: { "com.example.key1": "value1" },
      },
      {
        ...manifest,
        platform: { architecture: "ppc64le", os: "linux" },
        annotations: { "com.example.key1": "value1" },
      },
    ],
    [
      {
        ...manifest,
        platform: {
          architecture: "arm64",
          os: "windows",
          "os.version": "10.0.14393.1066",
          "os.features": ["win32k"],
          variant: "v8",
        },
      },
      {
        ...manifest,
        platform: {
          architecture: "arm64",
          os: "windows",
          osVersion: "10.0.14393.1066",
          osFeatures: ["win32k"],
          variant: "v8",
        },
      },
    ],
  ])("%o", (json, descriptor) => {
    expect(read(json)).toStrictEqual(descriptor);
    expect(descriptorToJson(read(json))).toStrictEqual(json);
  });

  it("ignores fields it does not know, and takes null for a map that is absent, as Go writes it", () => {
    expect(read({ ...manifest, future: [1], annotations: null, platform: null })).toStrictEqual(manifest);
  });

  it("takes 0 for a size: the empty blob has it", () => {
    expect(read({ ...manifest, size: 0 }).size).toBe(0);
  });

  it("has no media type where a registry names none", () => {
    const { mediaType: _, ...unnamed } = manifest;
    expect(read(unnamed).mediaType).toBe("");
  });

  it("leaves out what says nothing", () => {
    const silent = { urls: [], annotations: {}, data: new Uint8Array(), artifactType: "" };
    expect(descriptorToJson({ ...read(manifest), ...silent })).toStrictEqual(manifest);
    const platform = { os: "linux", architecture: "arm", variant: "", "os.version": "", "os.features": [] };
    expect(read({ ...manifest, platform }).platform).toStrictEqual({ os: "linux", architecture: "arm" });
    expect(read({ ...manifest, platform: {} }).platform).toStrictEqual({ os: "", architecture: "" });
  });

  it.each<[json: unknown, why: string]>([
    [null, "is no object"],
    [[manifest], "is no object"],
    ["sha256:00", "is no object"],
    [{ ...manifest, mediaType: 1 }, "mediaType"],
    [{ ...manifest, digest: undefined }, "no digest"],
    [{ ...manifest, digest: "sha256:00" }, "needs 64"],
    [{ ...manifest, size: "7682" }, "size"],
    [{ ...manifest, size: undefined }, "size"],
    [{ ...manifest, size: -1 }, "size"],
    [{ ...manifest, size: 1.5 }, "size"],
    [{ ...manifest, size: 2 ** 53 }, "size"],
    [{ ...manifest, artifactType: {} }, "artifactType"],
    [{ ...manifest, urls: "https://example.com" }, "urls"],
    [{ ...manifest, urls: [1] }, "urls"],
    [{ ...manifest, data: 1 }, "data"],
    [{ ...manifest, data: "e3*=" }, "data"],
    [{ ...manifest, data: "e" }, "data"],
    [{ ...manifest, annotations: [] }, "annotations"],
    [{ ...manifest, annotations: { a: 1 } }, "annotation"],
    [{ ...manifest, platform: "linux/amd64" }, "platform"],
    [{ ...manifest, platform: { os: 1 } }, "os is no string"],
    [{ ...manifest, platform: { "os.features": "win32k" } }, "os.features"],
  ])("refuses %j", (json, why) => {
    expect(() => read(json)).toThrow(why);
  });

  it("comes back from JSON text as it went", () => {
    fc.assert(
      fc.property(descriptors, (descriptor) => {
        expect(read(JSON.parse(JSON.stringify(descriptorToJson(descriptor))))).toStrictEqual(descriptor);
      }),
    );
  });

  it("writes base64 of any length as RFC 4648 says, beyond what one call of the engine takes", () => {
    const data = new Uint8Array(100_000).map((_, i) => i % 251);
    const json = descriptorToJson({ ...read(manifest), data });
    expect(json["data"]).toBe(Buffer.from(data).toString("base64"));
    expect(read(json).data).toStrictEqual(data);
  });

  it("throws nothing but what `wrong` throws, whatever the JSON", () => {
    const near = fc.record(
      {
        mediaType: fc.oneof(fc.string(), fc.jsonValue()),
        digest: fc.oneof(fc.constant(manifest.digest), fc.jsonValue()),
        size: fc.oneof(fc.nat(), fc.jsonValue()),
        annotations: fc.jsonValue(),
        platform: fc.jsonValue(),
        artifactType: fc.jsonValue(),
        urls: fc.jsonValue(),
        data: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(near, fc.jsonValue()), (json) => {
        try {
          read(json);
        } catch (error) {
          expect(String(error)).toMatch(/^Error: it (?:is no|has)/);
        }
      }),
    );
  });
});

describe("annotations", () => {
  it("keep a key that every object has as a key like others", () => {
    const annotations = stringMap(JSON.parse('{"__proto__":"a","constructor":"b"}'), wrong);
    expect(Object.entries(annotations)).toStrictEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
    expect(Object.getPrototypeOf(annotations)).toBe(Object.prototype);
  });
});
