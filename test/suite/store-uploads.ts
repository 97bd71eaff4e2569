import { expect, it } from "vitest";
import { OCI_MANIFEST } from "../../src/oci/media-type.ts";
import { bytesOf } from "../support/bytes.ts";
import {
  blobOf,
  type Content,
  descriptorOf,
  imageOf,
  incoming,
  indexOf,
  manifestOf,
  ME,
  push,
  pushSome,
  readAll,
  reasonOf,
  refusalOf,
} from "./store-actions.ts";
import type { Rig } from "./store.ts";

/** What comes in, and what stays out. */
export function uploadTests(rig: () => Rig): void {
  const wrong: readonly {
    readonly name: string;
    readonly spoil: (good: Content) => Content;
    readonly reason: string;
  }[] = [
    {
      name: "other bytes of the right size",
      spoil: (good) => ({ ...good, bytes: good.bytes.toReversed() }),
      reason: "DIGEST_MISMATCH",
    },
    {
      name: "a digest of sha512 for other bytes",
      spoil: (good) => ({ ...good, digest: blobOf("x", "sha512").digest }),
      reason: "DIGEST_MISMATCH",
    },
    {
      name: "an algorithm that nobody here computes",
      spoil: (good) => ({ ...good, digest: blobOf(good.bytes, "sha384").digest }),
      reason: "DIGEST_UNSUPPORTED",
    },
    {
      name: "an algorithm that nobody knows",
      spoil: (good) => ({ ...good, digest: "blake3:00ff" }),
      reason: "DIGEST_UNSUPPORTED",
    },
  ];
  it.each(wrong)("refuses $name and keeps nothing", async ({ name, spoil, reason }) => {
    const { store } = rig();
    const repository = `wrong/${wrong.findIndex((each) => each.name === name)}`;
    const good = blobOf(`wrong ${name}`);
    const bad = spoil(good);
    const before = await store.usage();
    expect(await reasonOf(push(store, repository, bad))).toBe(reason);
    expect(await store.find(repository, bad.digest)).toBeUndefined();
    expect(await store.hasRepository(repository)).toBe(false);
    expect(await store.usage()).toEqual(before);

    await push(store, repository, good);
    expect(await readAll(store, repository, good.digest)).toEqual(Buffer.from(good.bytes));
  });

  it.each([
    ["short", -1],
    ["long", 1],
  ])("refuses bytes that are too %s", async (name, difference) => {
    const { store } = rig();
    const content = blobOf(`too ${name}`);
    const size = content.bytes.byteLength - difference;
    const before = await store.usage();
    const upload = await store.upload({ ...incoming("wrong/size", content), size }, 0);
    if (difference > 0) {
      // As soon as there are too many: a sender is stopped, not listened to.
      expect(await reasonOf(upload.write(content.bytes))).toBe("SIZE_MISMATCH");
      await upload.discard();
    } else {
      await upload.write(content.bytes);
      expect(await reasonOf(upload.commit(content.identity))).toBe("SIZE_MISMATCH");
    }
    expect(await store.find("wrong/size", content.digest)).toBeUndefined();
    expect(await store.usage()).toEqual(before);
  });

  it("parks nothing of an upload whose bytes were refused", async () => {
    const { store } = rig();
    const content = blobOf("parked after too many");
    const upload = await store.upload({ ...incoming("wrong/parked", content), size: 6 }, 0);
    await upload.write(content.bytes.subarray(0, 5));
    expect(await reasonOf(upload.write(content.bytes.subarray(5)))).toBe("SIZE_MISMATCH");
    await upload.park();
    expect(await store.resumable({ ...incoming("wrong/parked", content), size: 6 })).toBe(0);
  });

  it.each([
    ["nothing", ""],
    ["one byte", "x"],
  ])("takes %s", async (_, bytes) => {
    const { store } = rig();
    for (const algorithm of ["sha256", "sha512"]) {
      const content = blobOf(bytes, algorithm);
      await push(store, "small", content);
      expect(await readAll(store, "small", content.digest)).toEqual(Buffer.from(bytes));
    }
  });

  it("says what it has", async () => {
    const { store, clock } = rig();
    const layer = blobOf("a layer that says what it is");
    const manifest = imageOf({ name: "says what it is" }, layer);
    clock.now += 1000;
    await push(store, "says", { ...layer, identity: { kind: "blob", mediaType: "application/x-layer" } });
    const storedAt = clock.now;
    clock.now += 1000;
    await push(store, "says", manifest, { name: "latest" });
    expect(await store.find("says", layer.digest)).toEqual({
      digest: layer.digest,
      size: layer.bytes.byteLength,
      kind: "blob",
      mediaType: "application/x-layer",
      storedAt,
      corrupt: false,
    });
    expect(await store.findTag("says", "latest")).toEqual({
      digest: manifest.digest,
      size: manifest.bytes.byteLength,
      kind: "manifest",
      mediaType: OCI_MANIFEST,
      storedAt: clock.now,
      corrupt: false,
    });
  });

  it("shows bytes only once they are committed, and only in their repository", async () => {
    const { store } = rig();
    const content = blobOf("seen late");
    const upload = await store.upload(incoming("late", content), 0);
    await upload.write(content.bytes);
    expect(upload.offset).toBe(content.bytes.byteLength);
    expect(await store.find("late", content.digest)).toBeUndefined();
    expect(await store.hasRepository("late")).toBe(false);
    await upload.commit(content.identity);
    expect(await store.find("late", content.digest)).toBeDefined();
    expect(await store.find("other", content.digest)).toBeUndefined();
    expect(await store.find("late/below", content.digest)).toBeUndefined();
  });

  it("takes bytes in pieces of any size", async () => {
    const { store } = rig();
    const content = blobOf(bytesOf(1000, 7));
    const upload = await store.upload(incoming("pieces", content), 0);
    let from = 0;
    for (const to of [0, 1, 300, 300, 1000]) {
      await upload.write(content.bytes.subarray(from, to));
      expect(upload.offset).toBe(to);
      from = to;
    }
    await upload.commit(content.identity);
    expect(await readAll(store, "pieces", content.digest)).toEqual(Buffer.from(content.bytes));
  });

  it("takes the same content from several at once", async () => {
    const { store } = rig();
    const content = blobOf(bytesOf(300_000, 8));
    const pushes = Array.from({ length: 6 }, (_, i) => push(store, `at-once/${i % 2}`, content));
    const broken = store.upload(incoming("at-once/0", content, "broken"), 0).then((upload) => upload.discard());
    await Promise.all([...pushes, broken]);
    for (const repository of ["at-once/0", "at-once/1"])
      expect(await readAll(store, repository, content.digest)).toEqual(Buffer.from(content.bytes));
  });

  it("goes on with what its owner left, once", async () => {
    const { store } = rig();
    const content = blobOf(bytesOf(1000, 9));
    await pushSome(store, "resume", content, 600);
    expect(await store.resumable(incoming("resume", content))).toBe(600);
    expect(await store.resumable(incoming("resume", content, "another"))).toBe(0);
    expect(await store.resumable(incoming("elsewhere", content))).toBe(0);

    const refusal = await refusalOf(store.upload(incoming("resume", content), 599));
    expect(refusal).toMatchObject({ reason: "OFFSET_MISMATCH", metadata: { offset: "600" } });

    const upload = await store.upload(incoming("resume", content), 600);
    expect(upload.offset).toBe(600);
    expect(await store.resumable(incoming("resume", content))).toBe(0);
    expect(await reasonOf(store.upload(incoming("resume", content), 600))).toBe("OFFSET_MISMATCH");
    await upload.write(content.bytes.subarray(600, 800));
    await upload.park();
    expect(await store.resumable(incoming("resume", content))).toBe(800);

    const last = await store.upload(incoming("resume", content), 800);
    await last.write(content.bytes.subarray(800));
    await last.commit(content.identity);
    expect(await readAll(store, "resume", content.digest)).toEqual(Buffer.from(content.bytes));
    expect(await store.resumable(incoming("resume", content))).toBe(0);
  });

  it("verifies what was kept before it went on", async () => {
    const { store } = rig();
    const content = blobOf(bytesOf(1000, 10));
    await pushSome(store, "resume/bad", { ...content, bytes: content.bytes.map((byte) => byte ^ 1) }, 600);
    const upload = await store.upload(incoming("resume/bad", content), 600);
    await upload.write(content.bytes.subarray(600));
    expect(await reasonOf(upload.commit(content.identity))).toBe("DIGEST_MISMATCH");
    expect(await store.resumable(incoming("resume/bad", content))).toBe(0);
    expect(await store.find("resume/bad", content.digest)).toBeUndefined();
  });

  it("starts over at 0, and forgets what was kept", async () => {
    const { store } = rig();
    const content = blobOf(bytesOf(1000, 11));
    const { uploads } = await store.usage();
    await pushSome(store, "resume/over", content, 600);
    await pushSome(store, "resume/over", content, 200);
    expect(await store.resumable(incoming("resume/over", content))).toBe(200);
    expect((await store.usage()).uploads).toBe(uploads + 1);
    await push(store, "resume/over", content);
    expect((await store.usage()).uploads).toBe(uploads);
  });

  it("keeps nothing of an upload of nothing", async () => {
    const { store } = rig();
    const { uploads } = await store.usage();
    await pushSome(store, "resume/nothing", blobOf("never sent"), 0);
    expect((await store.usage()).uploads).toBe(uploads);
  });

  it("wants what a manifest names in its own repository", async () => {
    const { store } = rig();
    const [config, layer, foreign] = [blobOf("child config"), blobOf("child layer"), blobOf("child foreign")];
    const manifest = manifestOf(OCI_MANIFEST, {
      config: descriptorOf(config),
      // Content that is to be had elsewhere need not be here (image-spec, descriptor.md, "urls").
      layers: [descriptorOf(layer), descriptorOf(foreign, ["https://example.com/layer"])],
    });
    await push(store, "children", config);
    await push(store, "children/other", layer);
    expect(await reasonOf(push(store, "children", manifest, { name: "t" }))).toBe("CHILD_MISSING");
    expect(await store.find("children", manifest.digest)).toBeUndefined();
    expect(await store.findTag("children", "t")).toBeUndefined();

    expect(await store.mount("children", "children/other", layer.digest)).toBe(true);
    await push(store, "children", manifest, { name: "t" });
    expect((await store.findTag("children", "t"))?.digest).toBe(manifest.digest);

    const index = indexOf({ name: "children" }, manifest);
    expect(await reasonOf(push(store, "children/other", index))).toBe("CHILD_MISSING");
    await push(store, "children", index);
  });

  it("takes a manifest whose subject is not there", async () => {
    const { store } = rig();
    const subject = indexOf({ name: "a subject that never comes" });
    const manifest = indexOf({ name: "about it", subject });
    await push(store, "subjects", manifest);
    const referrers = await store.listReferrers("subjects", subject.digest, { after: "", limit: 9, artifactTypes: [] });
    expect(referrers.map(({ digest }) => digest)).toEqual([manifest.digest]);
  });

  it("mounts bytes without moving them, for good", async () => {
    const { store } = rig();
    const content = blobOf("mounted");
    await push(store, "mount/from", { ...content, identity: { kind: "blob", mediaType: "application/x-mounted" } });
    const { contentBytes } = await store.usage();
    expect(await store.mount("mount/to", "mount/from", content.digest)).toBe(true);
    expect((await store.usage()).contentBytes).toBe(contentBytes);
    await store.remove("mount/from", content.digest, "blob", false);
    await store.collect();
    expect(await store.find("mount/to", content.digest)).toMatchObject({ mediaType: "application/x-mounted" });
    expect(await readAll(store, "mount/to", content.digest)).toEqual(Buffer.from(content.bytes));
    expect(await store.mount("mount/to", "mount/nowhere", content.digest)).toBe(false);
  });

  it(`keeps an upload of ${ME} apart from its double in another repository`, async () => {
    const { store } = rig();
    const content = blobOf(bytesOf(100, 12));
    await pushSome(store, "apart/a", content, 10);
    await pushSome(store, "apart/b", content, 20);
    expect(await store.resumable(incoming("apart/a", content))).toBe(10);
    expect(await store.resumable(incoming("apart/b", content))).toBe(20);
  });
}
