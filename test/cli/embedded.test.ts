import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bytesOf } from "../support/bytes.ts";
import { type Cli, createCli, type Outcome } from "../support/cli.ts";
import { sha256 } from "../support/memory-registry.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const REPOSITORY = "descry.local/team/app";
let cli: Cli;
beforeAll(async () => {
  cli = await createCli();
});
afterAll(async () => await cli.close());

const descry = async (...args: readonly string[]): Promise<Outcome> =>
  await cli.descry(args, { env: { DESCRY_DATA_DIR: join(cli.home, "data") } });
const file = async (name: string, bytes: string | Uint8Array): Promise<string> => {
  await writeFile(join(cli.home, name), bytes);
  return join(cli.home, name);
};

test("an image goes in, is found, tagged, referred to, read back and deleted, without a server", async () => {
  const config = new TextEncoder().encode(`{"architecture":"arm64","os":"linux"}`);
  const layer = bytesOf(6_000_000);
  const descriptor = (bytes: Uint8Array, mediaType: string) => ({
    mediaType,
    digest: sha256(bytes),
    size: bytes.byteLength,
  });
  const layerType = "application/vnd.oci.image.layer.v1.tar";
  const manifest = new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: descriptor(config, CONFIG),
      layers: [descriptor(layer, layerType)],
    }),
  );
  const digest = sha256(manifest);
  const path = await file("manifest.json", manifest);

  const early = await descry("push", `${REPOSITORY}:v1`, path);
  expect(early).toMatchObject({ code: 1, stdout: "" });
  expect(early.stderr).toContain("push what the manifest names first");

  expect(await descry("push", REPOSITORY, await file("config", config), "--media-type", CONFIG)).toMatchObject({
    code: 0,
  });
  expect(await descry("push", REPOSITORY, await file("layer", layer), "--media-type", layerType)).toMatchObject({
    code: 0,
  });
  const pushed = await descry("push", `${REPOSITORY}:v1`, path, "--tag", "latest");
  expect(pushed).toMatchObject({ code: 0, stdout: `${REPOSITORY}@${digest}\n`, stderr: "" });

  expect((await descry("resolve", REPOSITORY, "--platform", "linux/arm64")).stdout).toBe(`${REPOSITORY}@${digest}\n`);
  expect((await descry("tags", "ls", REPOSITORY)).stdout).toBe("latest\nv1\n");
  const fetched = await descry("fetch", REPOSITORY, "--digest", sha256(layer), "-o", join(cli.home, "layer.out"));
  expect(fetched).toMatchObject({ code: 0, stdout: "", stderr: "" });
  expect(sha256(await readFile(join(cli.home, "layer.out")))).toBe(sha256(layer));

  const sbom = ["--subject", digest, "--artifact-type", "application/sbom"];
  expect(await descry("push", REPOSITORY, await file("sbom", "{}"), ...sbom)).toMatchObject({ code: 0 });
  expect((await descry("referrers", `${REPOSITORY}:v1`)).stdout).toMatch(/^sha256:[0-9a-f]{64}\tapplication\/sbom\n$/);

  expect(await descry("tags", "set", `${REPOSITORY}:v2`, digest, "--if-absent")).toMatchObject({ code: 0 });
  expect(await descry("tags", "set", `${REPOSITORY}:v2`, digest, "--if-digest", sha256(layer))).toMatchObject({
    code: 0,
  });
  expect(await descry("tags", "rm", `${REPOSITORY}:v2`)).toMatchObject({
    code: 0,
    stdout: `${REPOSITORY}@${digest}\n`,
  });
  const deleted = await descry("delete", `${REPOSITORY}@${digest}`, "--force");
  expect(deleted).toMatchObject({ code: 0, stdout: `${REPOSITORY}@${digest}\n` });
  expect(deleted.stderr).toContain("and its tags: latest, v1");
  expect(await descry("resolve", `${REPOSITORY}:v1`)).toMatchObject({ code: 3, stdout: "" });
});

test("system looks after the data directory", async () => {
  const bytes = bytesOf(100_000, 7);
  const directory = ["--data-dir", join(cli.home, "system")];
  await cli.descry(["push", REPOSITORY, await file("blob", bytes), ...directory]);
  const df = await cli.descry(["system", "df", "--format", "json", ...directory]);
  expect(JSON.parse(df.stdout)).toMatchObject({
    repositories: 1,
    blobs: 1,
    contentBytes: bytes.byteLength,
    quarantined: 0,
  });
  expect((await cli.descry(["system", "df", ...directory])).stdout).toContain("content       97.7 KiB\n");
  const gc = await cli.descry(["system", "gc", "--format", "json", ...directory]);
  // Unreferenced, but younger than its grace of 24 h.
  expect(JSON.parse(gc.stdout)).toEqual({ blobs: 0, bytes: 0, uploads: 0 });
  expect(await cli.descry(["system", "fsck", ...directory])).toMatchObject({ code: 0, stderr: "" });

  const hex = sha256(bytes).slice("sha256:".length);
  const found = (await readdir(join(cli.home, "system"), { recursive: true })).find((path) => path.endsWith(hex)) ?? "";
  await writeFile(join(cli.home, "system", found), bytesOf(100_000, 8));
  const fsck = await cli.descry(["system", "fsck", ...directory]);
  expect(fsck.code).toBe(7);
  expect(fsck.stdout).toContain(`sha256:${hex}\tdigest\t${REPOSITORY.slice("descry.local/".length)}\n`);
  expect((await cli.descry(["fetch", `${REPOSITORY}@sha256:${hex}`, ...directory])).code).toBe(7);
});

test.each([
  [["system"], "Usage: descry system"],
  [["system", "dff"], "Did you mean df?"],
  [["system", "gc", "now"], "too many arguments"],
  [["system", "fsck", "--format", "xml"], "Allowed choices are text, json"],
])("%j is no command line", async (args, says) => {
  const outcome = await descry(...args);
  expect(outcome).toMatchObject({ code: 2, stdout: "" });
  expect(outcome.stderr).toContain(says);
});

test("what is wrong with content and references is told apart by exit codes", async () => {
  const path = await file("five", "12345");
  const zeros = `sha256:${"0".repeat(64)}`;
  const push = async (ref: string, ...flags: readonly string[]) => await descry("push", ref, path, ...flags);
  // printf 12345 | sha512sum
  const sha512 =
    "sha512:3627909a29c31381a071ec27f7c9ca97726182aed29a7ddd2e54353322cfb30a" +
    "bb9e3a6df2ac2c20fe23436311d678564d0c8d305930575f60e2d3d048184d79";
  expect(await push(`${REPOSITORY}@${sha512}`)).toMatchObject({ code: 0, stdout: `${REPOSITORY}@${sha512}\n` });

  const cases: readonly (readonly [Promise<Outcome>, number, string])[] = [
    [push(`${REPOSITORY}@${zeros}`), 7, `not to ${zeros}`],
    [push(`${REPOSITORY}@sha384:${"0".repeat(96)}`), 2, "sha384 cannot be verified here"],
    [push(REPOSITORY, "--media-type", MANIFEST), 1, "not a application/vnd.oci.image.manifest.v1+json"],
    [push(`${REPOSITORY}:v9`, "--media-type", "text/plain"), 2, "a tag names a manifest"],
    [push("team/UPPER"), 2, "UPPER"],
    [descry("fetch", `${REPOSITORY}@${zeros}`), 3, zeros],
    [descry("resolve", `${REPOSITORY}:none`), 3, "none"],
    [descry("resolve", "registry.example/x:y"), 1, "registry.example"],
  ];
  for (const [outcome, code, says] of cases) {
    const { stderr, ...rest } = await outcome;
    expect(rest).toMatchObject({ code, stdout: "" });
    expect(stderr).toContain(says);
    expect(stderr.split("\n")).toHaveLength(2);
  }
});
