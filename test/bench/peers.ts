import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { createDescry } from "../../src/sdk/index.ts";
import { fileSource } from "../../src/sdk/node/index.ts";
import { startDockerRegistry } from "../support/docker-registry.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { type SkopeoImage, writeSkopeoImage } from "../support/skopeo-image.ts";
import { type Bench, dataDirectory, startDescry } from "./bench.ts";

const run = promisify(execFile);

/** Repository path and tag of the image on either server. */
export const IMAGE_PATH = "bench/real";
export const IMAGE_TAG = "latest";
export const IMAGE_REF: string = `descry.local/${IMAGE_PATH}:${IMAGE_TAG}`;

/** descry and docker-registry, with the same image in both. */
export interface Peers {
  readonly skopeo: string;
  readonly image: SkopeoImage;
  readonly descry: ServerProcess;
  readonly descryData: string;
  readonly registry: ServerProcess;
  /** The image in docker-registry, as skopeo names it. */
  readonly remote: string;
  stop(): Promise<void>;
}

/** Undefined where skopeo or docker-registry is missing. */
export async function startPeers({ directory, skopeo, dockerRegistry }: Bench): Promise<Peers | undefined> {
  if (skopeo === undefined || dockerRegistry === undefined) return undefined;
  const image = await writeSkopeoImage(skopeo, join(directory, "image"));
  const home = join(directory, "descry");
  const descry = await startDescry(home);
  const registry = await startDockerRegistry(dockerRegistry, join(directory, "registry"));
  const stop = async (): Promise<void> => {
    await Promise.all([descry.stop(), registry.stop()]);
  };
  try {
    const remote = `docker://${registry.announced}/${IMAGE_PATH}:${IMAGE_TAG}`;
    await pushImage(descry.announced, image);
    await run(skopeo, ["--insecure-policy", "copy", "--dest-tls-verify=false", image.name, remote]);
    return { skopeo, image, descry, descryData: dataDirectory(home), registry, remote, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Children first. */
async function pushImage(baseUrl: string, { manifest, blobs }: SkopeoImage): Promise<void> {
  const descry = createDescry({ baseUrl });
  const repository = `descry.local/${IMAGE_PATH}`;
  for (const blob of blobs) await descry.push(repository, fileSource(blob.path), { descriptor: blob, kind: "blob" });
  await descry.push(IMAGE_REF, fileSource(manifest.path), { descriptor: manifest });
}
