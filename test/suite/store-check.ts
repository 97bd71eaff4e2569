import { expect, it } from "vitest";
import type { Damage } from "../support/memory-store.ts";
import { blobOf, imageOf, incoming, push, pushSome, readAll, reasonOf } from "./store-actions.ts";
import type { Rig } from "./store.ts";

export function checkTests(rig: () => Rig): void {
  it.each<[Damage, string]>([
    ["flipped", "digest"],
    ["truncated", "size"],
    ["lost", "missing"],
  ])("finds bytes that were %s, serves them no more, and is healed by a push", async (how, problem) => {
    const { store, damage } = rig();
    const blob = blobOf(`bytes to be ${how}`);
    const manifest = imageOf({ name: how }, blob);
    const repositories = [`check/${how}`, `check/${how}/other`];
    for (const repository of repositories) await push(store, repository, blob);
    await push(store, `check/${how}`, manifest);
    const { quarantined } = await store.usage();
    const faultsOfIt = async () => (await store.check()).faults.filter(({ digest }) => digest === blob.digest);
    expect(await faultsOfIt()).toEqual([]);

    await damage(blob.digest, how);
    expect(await faultsOfIt()).toEqual([{ digest: blob.digest, problem, repositories }]);
    expect(await faultsOfIt()).toEqual([{ digest: blob.digest, problem: "quarantined", repositories }]);
    expect((await store.usage()).quarantined).toBe(quarantined + 1);
    for (const repository of repositories) {
      expect(await store.find(repository, blob.digest)).toMatchObject({ corrupt: true, size: blob.bytes.byteLength });
      expect(await reasonOf(readAll(store, repository, blob.digest))).toBe("STORE_CORRUPT");
    }
    expect(await store.mount("check/mounted", `check/${how}`, blob.digest)).toBe(false);

    await push(store, `check/${how}`, blob);
    for (const repository of repositories)
      expect(await readAll(store, repository, blob.digest)).toEqual(Buffer.from(blob.bytes));
    expect(await store.find(`check/${how}/other`, blob.digest)).toMatchObject({ corrupt: false });
    expect(await faultsOfIt()).toEqual([]);
    expect((await store.usage()).quarantined).toBe(quarantined);
  });

  it.each<[Damage]>([["lost"], ["truncated"]])(
    "does not serve bytes that were %s as whole before a check",
    async (how) => {
      const { store, damage } = rig();
      const blob = blobOf(`unnoticed and ${how}`);
      await push(store, "unnoticed", blob);
      await damage(blob.digest, how);
      expect(await reasonOf(readAll(store, "unnoticed", blob.digest))).toBe("STORE_CORRUPT");
      await push(store, "unnoticed", blob);
      expect(await readAll(store, "unnoticed", blob.digest)).toEqual(Buffer.from(blob.bytes));
    },
  );

  it("reports a fault beside uploads of the same content, parked or under way", async () => {
    const { store, damage } = rig();
    const [parked, going] = [blobOf("bad beside a parked upload"), blobOf("bad beside a going upload")];
    for (const blob of [parked, going]) await push(store, "bad", blob);
    await pushSome(store, "bad", parked, 5);
    const upload = await store.upload(incoming("bad", going), 0);
    await upload.write(going.bytes);
    for (const blob of [parked, going]) await damage(blob.digest, "flipped");
    const faults = (await store.check()).faults.map(({ digest }) => digest);
    for (const blob of [parked, going]) {
      expect(faults).toContain(blob.digest);
      expect(await reasonOf(readAll(store, "bad", blob.digest))).toBe("STORE_CORRUPT");
    }
    await upload.commit(going.identity);
    expect(await readAll(store, "bad", going.digest)).toEqual(Buffer.from(going.bytes));
  });

  it("collects bad bytes like others", async () => {
    const { store, damage } = rig();
    const blob = blobOf("bad and unneeded");
    await push(store, "bad/unneeded", blob);
    await damage(blob.digest, "flipped");
    await store.check();
    await store.remove("bad/unneeded", blob.digest, "blob", false);
    expect(await store.collect()).toMatchObject({ blobs: 1, bytes: blob.bytes.byteLength });
    expect((await store.check()).faults.map(({ digest }) => digest)).not.toContain(blob.digest);
  });

  it("counts each digest once, and each repository's content", async () => {
    const { store } = rig();
    const before = await store.usage();
    const blob = blobOf("counted");
    const manifest = imageOf({ name: "counted" }, blob);
    for (const repository of ["usage/a", "usage/b"]) {
      await push(store, repository, blob);
      await push(store, repository, manifest, { name: "t" });
    }
    await pushSome(store, "usage/c", blob, 3);
    const bytes = blob.bytes.byteLength + manifest.bytes.byteLength;
    expect(await store.usage()).toEqual({
      ...before,
      repositories: before.repositories + 2,
      tags: before.tags + 2,
      manifests: before.manifests + 2,
      blobs: before.blobs + 2,
      contentBytes: before.contentBytes + bytes,
      uploads: before.uploads + 1,
      uploadBytes: before.uploadBytes + 3,
    });
    const { blobs, bytes: checked } = await store.check();
    expect(checked).toBe(before.contentBytes + bytes);
    expect(blobs).toBeGreaterThanOrEqual(2);
  });

  it("stops a check when it is told to", async () => {
    await expect(rig().store.check(AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
  });

  it("has one leader, and says where", async () => {
    const { store } = rig();
    const resign = await store.lead("http://127.0.0.1:7070");
    await expect(store.lead("http://127.0.0.1:7071")).rejects.toThrow("http://127.0.0.1:7070");
    expect(await reasonOf(store.lead("http://127.0.0.1:7071"))).toBe("failed_precondition");
    await resign();
    const again = await store.lead("http://127.0.0.1:7072");
    await expect(store.lead("http://127.0.0.1:7071")).rejects.toThrow("http://127.0.0.1:7072");
    await again();
  });

  it("recovers while it is in use, and touches nothing of a living process", async () => {
    const { store } = rig();
    const [blob, parked] = [blobOf("sent while others recover"), blobOf("parked while others recover")];
    await pushSome(store, "recover", parked, 5);
    const upload = await store.upload(incoming("recover", blob), 0);
    await store.recover();
    await upload.write(blob.bytes);
    await store.recover();
    await upload.commit(blob.identity);
    expect(await readAll(store, "recover", blob.digest)).toEqual(Buffer.from(blob.bytes));
    expect(await store.resumable(incoming("recover", parked))).toBe(5);
  });
}
