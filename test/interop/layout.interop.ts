import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cliArguments } from "../support/cli.ts";
import { debian } from "../support/debian.ts";
import { type SkopeoImage, writeSkopeoImage } from "../support/skopeo-image.ts";
import { output } from "./command.ts";
import { type RunningDescry, startDescry } from "./descry.ts";
import { buildGoTools } from "./go-tools.ts";
import { hasToolchain } from "./toolchain.ts";

const skopeo = await debian("skopeo");
const hasGo = await hasToolchain("go");

describe.skipIf(skopeo === undefined)(
  "an image of skopeo's, pushed to descry and read back by descry's command line",
  () => {
    const repository = "descry.local/real";
    let descry: RunningDescry;
    let image: SkopeoImage;
    let layout: string;

    beforeAll(async () => {
      descry = await startDescry();
      image = await writeSkopeoImage(skopeo ?? "", join(descry.directory, "image"));
      for (const blob of image.blobs) await cli("push", "--media-type", blob.mediaType, repository, blob.path);
      await cli("push", `${repository}:${image.tag}`, image.manifest.path);
      layout = await readBack();
    });
    afterAll(() => descry.stop());

    async function cli(...args: readonly string[]): Promise<string> {
      return await output(process.execPath, [...cliArguments, ...args], {
        env: { DESCRY_SERVER: descry.http, HOME: descry.directory },
      });
    }

    /** A layout (image-layout v1) of what descry has under the tag. */
    async function readBack(): Promise<string> {
      const directory = join(descry.directory, "back");
      await mkdir(join(directory, "blobs/sha256"), { recursive: true });
      const [, digest = ""] = (await cli("resolve", `${repository}:${image.tag}`)).trim().split("@");
      for (const wanted of [digest, ...image.blobs.map((blob) => blob.digest)])
        await cli("fetch", repository, "--digest", wanted, "--output", join(directory, "blobs", ...wanted.split(":")));
      const { size } = await readFile(join(directory, "blobs", ...digest.split(":"))).then(({ length }) => ({
        size: length,
      }));
      const annotations = { "org.opencontainers.image.ref.name": image.tag };
      const entry = { mediaType: image.manifest.mediaType, digest, size, annotations };
      await writeFile(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
      await copyFile(join(image.layout, "oci-layout"), join(directory, "oci-layout"));
      return directory;
    }

    test("skopeo inspects it: the same digest, the same layers", async () => {
      const inspect = async (name: string): Promise<unknown> =>
        JSON.parse(await output(skopeo ?? "", ["inspect", name]));
      expect(await inspect(`oci:${layout}:${image.tag}`)).toEqual(await inspect(image.name));
    });

    test("skopeo copies it, checking every digest", async () => {
      const copy = join(descry.directory, "copy");
      const names = [`oci:${layout}:${image.tag}`, `oci:${copy}:${image.tag}`];
      await output(skopeo ?? "", ["--insecure-policy", "copy", "--preserve-digests", ...names]);
      const index: { manifests: { digest: string }[] } = JSON.parse(await readFile(join(copy, "index.json"), "utf8"));
      expect(index.manifests.map(({ digest }) => digest)).toEqual([image.manifest.digest]);
    });

    test.skipIf(!hasGo)("crane pushes it to a registry of its own and finds it valid", async () => {
      await buildGoTools(join(descry.directory, "bin"), ["crane"]);
      const crane = join(descry.directory, "bin/crane");
      const registry = spawn(crane, ["registry", "serve", "--address", "127.0.0.1:0"], {
        stdio: ["ignore", "ignore", "pipe"],
      });
      try {
        const ended = once(registry, "exit").then(() => Promise.reject(new Error("crane's registry ended")));
        const port = await Promise.race([announcedPort(registry.stderr), ended]);
        const name = `127.0.0.1:${port}/real:${image.tag}`;
        expect((await output(crane, ["push", layout, name])).trim()).toMatch(new RegExp(`@${image.manifest.digest}$`));
        expect((await output(crane, ["digest", name])).trim()).toBe(image.manifest.digest);
        await output(crane, ["validate", "--remote", name]);
      } finally {
        registry.kill();
      }
    });
  },
);

/** The port that `crane registry serve` says it listens on. */
async function announcedPort(stderr: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stderr })) {
    const port = /serving on port (\d+)$/.exec(line)?.[1];
    if (port !== undefined) return port;
  }
  throw new Error("crane's registry did not say where it listens");
}
