import { expect, it } from "vitest";
import type { TagQuery } from "../../src/store/store.ts";
import { blobOf, imageOf, indexOf, push, reasonOf, refusalOf } from "./store-actions.ts";
import type { Rig } from "./store.ts";

const ALL: TagQuery = { after: "", limit: 1000, prefix: "", omitDigestTags: false };
const HEX = "0123456789abcdef".repeat(4);

export function tagTests(rig: () => Rig): void {
  it("lists tags in byte order, by pages, by prefix, without those that stand for digests", async () => {
    const { store } = rig();
    const manifest = indexOf({ name: "listed" });
    await push(store, "list", manifest);
    const digestTags = [`sha256-${HEX}`, `sha256-${HEX}.sig`, `sha512-${HEX}${HEX}`];
    // Not quite: too short, or upper case.
    const likeThem = [`sha256-${HEX.slice(1)}`, `sha256-${HEX.toUpperCase()}`, "sha256-"];
    for (const name of ["latest", "v1", "v1.0", "V1", "_", "0", "v10", "v2", ...digestTags, ...likeThem])
      await store.setTag("list", { name }, manifest.digest);
    const names = async (query: Partial<TagQuery>) =>
      (await store.listTags("list", { ...ALL, ...query })).map(({ name }) => name);

    // As `LC_ALL=C sort` has it.
    const all = ["0", "V1", "_", "latest", "sha256-", likeThem[1], digestTags[0], digestTags[1], likeThem[0]];
    const versions = ["v1", "v1.0", "v10", "v2"];
    expect(await names({})).toEqual([...all, digestTags[2], ...versions]);
    expect(await names({ omitDigestTags: true })).toEqual([...all.toSpliced(6, 2), ...versions]);
    expect(await names({ prefix: "v1" })).toEqual(["v1", "v1.0", "v10"]);
    expect(await names({ prefix: "v1", after: "v1" })).toEqual(["v1.0", "v10"]);
    expect(await names({ prefix: "v1", limit: 2 })).toEqual(["v1", "v1.0"]);
    expect(await names({ after: "u" })).toEqual(["v1", "v1.0", "v10", "v2"]);
    expect(await names({ after: "v2" })).toEqual([]);
    expect(await names({ prefix: "%" })).toEqual([]);
    expect(await names({ prefix: "sha256-*" })).toEqual([]);
    expect(await store.listTags("list", { ...ALL, prefix: "v2" })).toEqual([{ name: "v2", digest: manifest.digest }]);
    expect(await store.listTags("list/nothing", ALL)).toEqual([]);
  });

  it("lets one of many have a tag that must be absent", async () => {
    const { store } = rig();
    const manifests = Array.from({ length: 8 }, (_, i) => indexOf({ name: `racer ${i}` }));
    for (const manifest of manifests) await push(store, "race", manifest);
    const answers = await Promise.all(
      manifests.map(({ digest }) => reasonOf(store.setTag("race", { name: "t", condition: "absent" }, digest))),
    );
    expect(answers.toSorted()).toEqual([...Array<string>(7).fill("TAG_CHANGED"), "done"]);
    expect((await store.findTag("race", "t"))?.digest).toBe(manifests[answers.indexOf("done")]?.digest);
  });

  it("says what a tag is when it is not what was wanted", async () => {
    const { store } = rig();
    const [now, next] = [indexOf({ name: "now" }), indexOf({ name: "next" })];
    await push(store, "current", now, { name: "t" });
    await push(store, "current", next);
    const wanted = { name: "t", condition: { digest: next.digest } };
    expect(await refusalOf(store.setTag("current", { name: "t", condition: "absent" }, next.digest))).toMatchObject({
      reason: "TAG_CHANGED",
      code: "aborted",
      metadata: { current_digest: now.digest },
    });
    expect(await reasonOf(store.removeTag("current", wanted, false))).toBe("TAG_CHANGED");
    expect(await reasonOf(store.removeTag("current", wanted, true))).toBe("TAG_CHANGED");
    expect(await store.setTag("current", { name: "t", condition: { digest: now.digest } }, next.digest)).toEqual({
      previous: now.digest,
    });
  });

  it("tags no manifest of another repository, and no blob", async () => {
    const { store } = rig();
    const [manifest, blob] = [indexOf({ name: "not here" }), blobOf("not to be tagged")];
    await push(store, "tagging/other", manifest);
    await push(store, "tagging", blob);
    expect(await reasonOf(store.setTag("tagging", { name: "t" }, manifest.digest))).toBe("CONTENT_UNKNOWN");
    expect(await reasonOf(store.setTag("tagging", { name: "t" }, blob.digest))).toBe("CONTENT_UNKNOWN");
    expect(await store.listTags("tagging", ALL)).toEqual([]);
  });

  it("says what goes with a removal, does it, or only says so", async () => {
    const { store } = rig();
    const layer = blobOf("removed layer");
    const manifest = imageOf({ name: "removed" }, layer);
    const indexes = [indexOf({ name: "index 1" }, manifest), indexOf({ name: "index 2" }, manifest)];
    for (const repository of ["removal", "removal/other"])
      for (const content of [layer, manifest, ...indexes]) await push(store, repository, content);
    for (const name of ["b", "a"]) await store.setTag("removal", { name }, manifest.digest);
    await store.setTag("removal/other", { name: "c" }, manifest.digest);
    const removal = {
      digest: manifest.digest,
      tags: ["a", "b"],
      namedBy: indexes.map(({ digest }) => digest).sort(),
    };

    expect(await store.remove("removal", manifest.digest, "manifest", true)).toEqual(removal);
    expect(await store.findTag("removal", "a")).toBeDefined();
    expect(await store.removeTag("removal", { name: "a" }, true)).toEqual({
      digest: manifest.digest,
      tags: [],
      namedBy: [],
    });
    expect(await store.findTag("removal", "a")).toBeDefined();

    expect(await store.remove("removal", manifest.digest, "manifest", false)).toEqual(removal);
    expect(await store.listTags("removal", ALL)).toEqual([]);
    expect(await store.find("removal", manifest.digest)).toBeUndefined();
    expect(await store.find("removal", layer.digest)).toBeDefined();
    expect(await store.find("removal", indexes[0]?.digest ?? "x:y")).toBeDefined();
    expect(await store.findTag("removal/other", "c")).toBeDefined();
    expect(await store.remove("removal/other", layer.digest, "blob", true)).toEqual({
      digest: layer.digest,
      tags: [],
      namedBy: [manifest.digest],
    });
  });

  it("still knows a repository that has lost all it had", async () => {
    const { store } = rig();
    const manifest = indexOf({ name: "lost" });
    await push(store, "emptied", manifest);
    await store.remove("emptied", manifest.digest, "manifest", false);
    await store.collect();
    expect(await store.hasRepository("emptied")).toBe(true);
  });

  it("lists the manifests about a manifest, by pages and by type, in this repository", async () => {
    const { store } = rig();
    const subject = indexOf({ name: "referred to" });
    const config = blobOf("{}");
    const typed = indexOf({ name: "typed", subject, artifactType: "application/vnd.example.sbom" });
    // distribution-spec, "Listing Referrers": without an artifactType the config's media type counts.
    const fromConfig = imageOf({ name: "config", subject }, config);
    const untyped = indexOf({ name: "untyped", subject });
    await push(store, "refer", config);
    for (const content of [typed, fromConfig, untyped]) await push(store, "refer", content);
    await push(store, "refer/other", untyped);
    const list = async (after = "", limit = 9, artifactTypes: readonly string[] = []) =>
      (await store.listReferrers("refer", subject.digest, { after, limit, artifactTypes })).map(({ digest }) => digest);

    const all = [typed, fromConfig, untyped].map(({ digest }) => digest).sort();
    expect(await list()).toEqual(all);
    expect(await list("", 2)).toEqual(all.slice(0, 2));
    expect(await list(all[1])).toEqual(all.slice(2));
    expect(await list("", 9, ["application/vnd.example.sbom"])).toEqual([typed.digest]);
    expect(await list("", 9, ["application/vnd.oci.empty.v1+json", "none"])).toEqual([fromConfig.digest]);
    expect(await list("", 9, ["none"])).toEqual([]);
    expect(
      await store.listReferrers("refer", subject.digest, {
        after: "",
        limit: 9,
        artifactTypes: ["application/vnd.example.sbom"],
      }),
    ).toEqual([
      {
        digest: typed.digest,
        size: typed.bytes.byteLength,
        mediaType: "application/vnd.oci.image.index.v1+json",
        artifactType: "application/vnd.example.sbom",
        annotations: { name: "typed" },
      },
    ]);
    await store.remove("refer", typed.digest, "manifest", false);
    expect(await list()).toEqual(all.filter((digest) => digest !== typed.digest));
    expect(await list("", 9, ["application/vnd.example.sbom"])).toEqual([]);
  });
}
