import { expect, it } from "vitest";
import { UNREFERENCED_GRACE_MS, UPLOAD_GRACE_MS } from "../../src/store/store.ts";
import { blobOf, imageOf, incoming, push, pushSome, readAll } from "./store-actions.ts";
import type { Rig } from "./store.ts";

/** Who needs what, and for how long. The clock is shared, so each test waits from where it stands. */
export function collectTests(rig: () => Rig): void {
  const has = async (repository: string, content: ReturnType<typeof blobOf>): Promise<boolean> =>
    (await rig().store.find(repository, content.digest)) !== undefined;

  it("keeps a blob that nothing names for its grace, and not longer", async () => {
    const { store, clock } = rig();
    const blob = blobOf("unnamed");
    await push(store, "grace", blob);
    clock.now += UNREFERENCED_GRACE_MS - 1;
    await store.collect();
    expect(await readAll(store, "grace", blob.digest)).toEqual(Buffer.from(blob.bytes));
    clock.now += 1;
    const { reclaimableBytes, contentBytes } = await store.usage();
    const collected = await store.collect();
    expect(collected.bytes).toBe(reclaimableBytes);
    expect(collected.bytes).toBeGreaterThanOrEqual(blob.bytes.byteLength);
    expect(await has("grace", blob)).toBe(false);
    expect((await store.usage()).contentBytes).toBe(contentBytes - reclaimableBytes);
    expect(await store.collect()).toEqual({ blobs: 0, bytes: 0, uploads: 0 });
  });

  it("counts the grace anew when a blob is pushed or mounted again", async () => {
    const { store, clock } = rig();
    const [pushed, mounted] = [blobOf("pushed again"), blobOf("mounted again")];
    for (const blob of [pushed, mounted]) await push(store, "again", blob);
    clock.now += UNREFERENCED_GRACE_MS - 1;
    await push(store, "again", pushed);
    await store.mount("again/mounted", "again", mounted.digest);
    clock.now += 1;
    await store.collect();
    expect(await has("again", pushed)).toBe(true);
    expect(await has("again", mounted)).toBe(false);
    expect(await readAll(store, "again/mounted", mounted.digest)).toEqual(Buffer.from(mounted.bytes));
  });

  it("keeps manifests until they are removed, and what they name as long", async () => {
    const { store, clock } = rig();
    const [config, shared] = [blobOf("kept config"), blobOf("shared layer")];
    const [one, two] = [imageOf({ name: "one" }, config, shared), imageOf({ name: "two" }, shared)];
    for (const content of [config, shared, one, two]) await push(store, "named", content);
    clock.now += 3 * UNREFERENCED_GRACE_MS;
    await store.collect();
    for (const content of [config, shared, one, two]) expect(await has("named", content)).toBe(true);

    await store.remove("named", one.digest, "manifest", false);
    clock.now += UNREFERENCED_GRACE_MS - 1;
    await store.collect();
    expect(await has("named", config)).toBe(true);
    clock.now += 1;
    await store.collect();
    expect(await has("named", config)).toBe(false);
    expect(await has("named", shared)).toBe(true);
  });

  it("needs a blob in each repository for a reason of that repository", async () => {
    const { store, clock } = rig();
    const config = blobOf("named in one repository");
    for (const repository of ["needs", "needs/not"]) await push(store, repository, config);
    await push(store, "needs", imageOf({ name: "needs" }, config));
    clock.now += UNREFERENCED_GRACE_MS;
    await store.collect();
    expect(await has("needs/not", config)).toBe(false);
    expect(await readAll(store, "needs", config.digest)).toEqual(Buffer.from(config.bytes));
  });

  it("keeps what is held until then; a shorter hold takes nothing back", async () => {
    const { store, clock } = rig();
    const [held, other] = [blobOf("held"), blobOf("not held")];
    for (const blob of [held, other]) await push(store, "held", blob);
    await push(store, "held/not", held);
    const until = clock.now + 2 * UNREFERENCED_GRACE_MS;
    await store.hold("held", [held.digest], until);
    await store.hold("held", [held.digest], clock.now + 1);
    clock.now = until - 1;
    await store.collect();
    expect([await has("held", held), await has("held", other), await has("held/not", held)]).toEqual([
      true,
      false,
      false,
    ]);
    clock.now = until;
    await store.collect();
    expect(await has("held", held)).toBe(false);
  });

  it("holds nothing of a repository that is not there", async () => {
    const { store, clock } = rig();
    await store.hold("held/nowhere", [blobOf("nothing").digest], clock.now + 1000);
    expect(await store.hasRepository("held/nowhere")).toBe(false);
  });

  it("forgets interrupted uploads after their grace", async () => {
    const { store, clock } = rig();
    const blob = blobOf("interrupted for long");
    await pushSome(store, "parked", blob, 5);
    clock.now += UPLOAD_GRACE_MS - 1;
    await store.collect();
    expect(await store.resumable(incoming("parked", blob))).toBe(5);
    const { uploads } = await store.usage();
    clock.now += 1;
    expect(await store.collect()).toMatchObject({ uploads });
    expect(await store.resumable(incoming("parked", blob))).toBe(0);
    expect(await store.usage()).toMatchObject({ uploads: 0, uploadBytes: 0 });
  });

  it("frees bytes of which an interrupted upload is kept, but not under an upload that goes on", async () => {
    const { store } = rig();
    const [parked, going] = [blobOf("freed beside a parked upload"), blobOf("pushed while it is collected")];
    for (const blob of [parked, going]) await push(store, "beside", blob);
    await pushSome(store, "beside/parked", parked, 5);
    const upload = await store.upload(incoming("beside/going", going), 0);
    await upload.write(going.bytes);
    for (const blob of [parked, going]) await store.remove("beside", blob.digest, "blob", false);
    expect((await store.usage()).reclaimableBytes).toBe(parked.bytes.byteLength);
    expect(await store.collect()).toMatchObject({ blobs: 1, bytes: parked.bytes.byteLength });
    await upload.commit(going.identity);
    expect(await readAll(store, "beside/going", going.digest)).toEqual(Buffer.from(going.bytes));
  });

  it("stops when it is told to", async () => {
    await expect(rig().store.collect(AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
  });
}
