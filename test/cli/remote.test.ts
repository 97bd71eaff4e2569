import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytesOf } from "../support/bytes.ts";
import { type Cli, cleanEnvironment, cliArguments, createCli, type Outcome } from "../support/cli.ts";
import { sha256 } from "../support/memory-registry.ts";
import { type PlainServer, startPlainServer } from "../support/plain-server.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

let cli: Cli;
let server: PlainServer;
let hangs: () => void = () => undefined;
beforeAll(async () => {
  cli = await createCli();
  server = await startPlainServer((registry) => ({
    async *fetchStream(request, context) {
      for await (const message of registry.service.fetchStream(request, context)) {
        if (message.part?.case === "data" && request.ref.includes("/bad")) message.part.value.fill(0);
        yield message;
        if (message.part?.case !== "data" || !request.ref.includes("/hangs")) continue;
        hangs();
        await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
      }
    },
  }));
});
afterAll(async () => {
  await server.close();
  await cli.close();
});

const descry = async (...args: readonly string[]): Promise<Outcome> =>
  await cli.descry(args, { env: { DESCRY_SERVER: server.url } });
const file = async (name: string, bytes: string | Uint8Array): Promise<string> => {
  await writeFile(join(cli.home, name), bytes);
  return join(cli.home, name);
};

/** An index of two platforms and an attestation; digests by tag-like name. */
function seedImage(repository: string): Record<"index" | "amd64" | "arm64" | "config", string> {
  const put = (bytes: Uint8Array, mediaType: string) => {
    return { mediaType, digest: server.registry.seed(repository, bytes, mediaType), size: bytes.byteLength };
  };
  const image = (architecture: string) => {
    const config = put(json({ architecture, os: "linux", rootfs: { type: "layers", diff_ids: [] } }), CONFIG);
    const manifest = put(json({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [] }), MANIFEST);
    return { config, manifest: { ...manifest, platform: { architecture, os: "linux" } } };
  };
  const [amd64, arm64] = [image("amd64"), image("arm64")];
  const unknown = { ...amd64.manifest, platform: { architecture: "unknown", os: "unknown" } };
  const manifests = [unknown, amd64.manifest, arm64.manifest];
  const index = json({ schemaVersion: 2, mediaType: INDEX, manifests });
  return {
    index: server.registry.seed(repository, index, INDEX, "latest"),
    amd64: amd64.manifest.digest,
    arm64: arm64.manifest.digest,
    config: amd64.config.digest,
  };
}

describe.concurrent("resolve", () => {
  test("prints repository@digest, one a line", async () => {
    const { index, amd64 } = seedImage("descry.local/r1");
    const outcome = await descry("resolve", "descry.local/r1", `descry.local/r1@${amd64}`);
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    expect(outcome.stdout).toBe(`descry.local/r1@${index}\ndescry.local/r1@${amd64}\n`);
  });

  test("prints OCI-shaped JSON", async () => {
    const { index } = seedImage("descry.local/r2");
    const { stdout } = await descry("resolve", "--format", "json", "descry.local/r2:latest");
    const size = server.registry.content.get(`descry.local/r2@${index}`)?.bytes.byteLength;
    expect(JSON.parse(stdout)).toEqual({
      ref: "descry.local/r2:latest",
      pinnedRef: `descry.local/r2@${index}`,
      descriptor: { mediaType: INDEX, digest: index, size },
      freshness: { observedAt: "2023-11-14T22:13:20.000Z", stale: false, servedBy: "store" },
    });
  });

  test("chooses a platform of an index, and checks that of an image", async () => {
    const { arm64, amd64 } = seedImage("descry.local/r3");
    const chosen = await descry("resolve", "--platform", "linux/arm64", "descry.local/r3");
    expect(chosen.stdout).toBe(`descry.local/r3@${arm64}\n`);
    const itself = await descry("resolve", "--platform", "linux/amd64", `descry.local/r3@${amd64}`);
    expect(itself.stdout).toBe(`descry.local/r3@${amd64}\n`);
    for (const ref of ["descry.local/r3", `descry.local/r3@${amd64}`]) {
      const none = await descry("resolve", "--platform", "linux/s390x", ref);
      expect(none).toMatchObject({ code: 3, stdout: "" });
      expect(none.stderr).toContain("linux/amd64");
    }
  });

  test.each([
    ["no reference", [], 2, "missing required argument 'ref'"],
    ["a reference that is none", ["team/UPPER"], 2, "UPPER"],
    ["an image ID", ["a".repeat(64)], 2, "image ID"],
    ["half a platform", ["--platform", "linux", "descry.local/x"], 2, "linux/arm64"],
    ["an unknown tag", ["descry.local/none:v1"], 3, "descry.local/none:v1"],
    ["an unknown format", ["--format", "yaml", "x"], 2, "Allowed choices are text, json"],
    ["a misspelt flag", ["--platfrom", "x", "y"], 2, "Did you mean --platform?"],
  ])("%s", async (_, args, code, says) => {
    const outcome = await descry("resolve", ...args);
    expect(outcome).toMatchObject({ code, stdout: "" });
    expect(outcome.stderr).toMatch(/^descry: /);
    expect(outcome.stderr).toContain(says);
  });
});

describe.concurrent("fetch", () => {
  const bytes = bytesOf(100_000);

  test("writes the bytes, and nothing else, to standard output", async () => {
    const digest = server.registry.seed("descry.local/f1", bytes);
    const outcome = await descry("fetch", "descry.local/f1", "--digest", digest);
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    expect(sha256(outcome.bytes)).toBe(digest);
  });

  test("writes a range", async () => {
    const digest = server.registry.seed("descry.local/f2", bytes);
    const outcome = await descry("fetch", `descry.local/f2@${digest}`, "--offset", "10", "--length", "20");
    expect(new Uint8Array(outcome.bytes)).toEqual(bytes.subarray(10, 30));
  });

  test("writes a file, whole and verified", async () => {
    server.registry.seed("descry.local/f3", bytes, "text/plain", "v1");
    const outcome = await descry("fetch", "descry.local/f3:v1", "-o", "f3.out");
    expect(outcome).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(sha256(await readFile(join(cli.home, "f3.out")))).toBe(sha256(bytes));
  });

  test("leaves no file when the bytes are wrong", async () => {
    const digest = server.registry.seed("descry.local/bad", bytes);
    const outcome = await descry("fetch", `descry.local/bad@${digest}`, "--output", "bad.out");
    expect(outcome).toMatchObject({ code: 7, stdout: "" });
    expect(outcome.stderr).toContain(`not to ${digest}`);
    expect((await readdir(cli.home)).filter((name) => name.startsWith("bad"))).toEqual([]);
  });

  test.each([
    ["unknown content", [`descry.local/f9@sha256:${"0".repeat(64)}`], 3, "has no sha256:000"],
    ["a digest that is none", ["descry.local/f9", "--digest", "sha256:1"], 2, "64 lower-case hex digits"],
    ["an offset that is none", ["descry.local/f9", "--offset", "-1"], 2, "Give a whole number of bytes"],
    ["a directory that is not there", ["descry.local/f1:v1", "-o", "none/out"], 1, "ENOENT"],
  ])("%s", async (_, args, code, says) => {
    server.registry.seed("descry.local/f1", bytes, "text/plain", "v1");
    const outcome = await descry("fetch", ...args);
    expect(outcome).toMatchObject({ code, stdout: "" });
    expect(outcome.stderr).toContain(says);
  });

  test("a closed pipe is no error to talk about", async () => {
    const large = bytesOf(4_000_000);
    server.registry.seed("descry.local/f4", large, "text/plain", "v1");
    const command = `"$0" "$@" | head -c 5; echo "\${PIPESTATUS[0]}"`;
    const args = [process.execPath, ...cliArguments, "fetch", "descry.local/f4:v1"];
    const env = { ...cleanEnvironment(cli.home), DESCRY_SERVER: server.url };
    const child = spawn("bash", ["-c", command, ...args], { env });
    let [stdout, stderr] = [Buffer.alloc(0), ""];
    child.stdout.on("data", (chunk: Buffer) => (stdout = Buffer.concat([stdout, chunk])));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    await once(child, "close");
    expect(stdout.subarray(0, 5)).toEqual(Buffer.from(large.subarray(0, 5)));
    // As a shell reports a process that SIGPIPE ended.
    expect(stdout.subarray(5).toString()).toBe("141\n");
    expect(stderr).toBe("");
  });

  test("Ctrl-C ends it at once, with nothing left behind", async () => {
    server.registry.seed("descry.local/hangs", bytes, "text/plain", "v1");
    const stuck = new Promise<void>((resolve) => (hangs = resolve));
    const args = [...cliArguments, "fetch", "descry.local/hangs:v1", "-o", "hangs.out"];
    const env = { ...cleanEnvironment(cli.home), DESCRY_SERVER: server.url };
    const child = spawn(process.execPath, args, { cwd: cli.home, env });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    await stuck;
    child.kill("SIGINT");
    const [code] = await once(child, "close");
    expect(code).toBe(130);
    expect(stderr).toBe("");
    expect((await readdir(cli.home)).filter((name) => name.startsWith("hangs"))).toEqual([]);
  });
});

describe.concurrent("push", () => {
  const config = json({ architecture: "amd64", os: "linux" });
  const descriptor = (bytes: Uint8Array, mediaType: string) => ({
    mediaType,
    digest: sha256(bytes),
    size: bytes.byteLength,
  });
  const manifest = json({ schemaVersion: 2, mediaType: MANIFEST, config: descriptor(config, CONFIG), layers: [] });

  test("stores a blob and prints its name", async () => {
    const path = await file("blob", bytesOf(1000));
    const outcome = await descry("push", "descry.local/p1", path);
    expect(outcome).toMatchObject({ code: 0, stderr: "", stdout: `descry.local/p1@${sha256(bytesOf(1000))}\n` });
    const kept = server.registry.content.get(`descry.local/p1@${sha256(bytesOf(1000))}`);
    expect(kept?.mediaType).toBe("application/octet-stream");
  });

  test("reads a manifest's media type from it, and sets several tags at once", async () => {
    const path = await file("manifest.json", manifest);
    const flags = ["--tag", "v1.2", "--tag", "v1", "--format", "json"];
    const outcome = await descry("push", "descry.local/p2:latest", path, ...flags);
    expect(outcome.code).toBe(0);
    const { descriptor: stored, outcome: done } = JSON.parse(outcome.stdout);
    expect(stored).toEqual(descriptor(manifest, MANIFEST));
    expect(done).toBe("created");
    for (const tag of ["latest", "v1.2", "v1"])
      expect(server.registry.tags.get(`descry.local/p2:${tag}`)).toBe(sha256(manifest));
  });

  test.each([1000, 4 * 1024 * 1024 + 1])(
    "takes %d bytes of standard input, and leaves no file behind",
    async (length) => {
      const bytes = bytesOf(length);
      const TMPDIR = await mkdtemp(join(cli.home, "tmp-"));
      const args = ["push", "descry.local/p3", "-", "--media-type", "text/plain"];
      const outcome = await cli.descry(args, { stdin: bytes, env: { DESCRY_SERVER: server.url, TMPDIR } });
      expect(outcome).toMatchObject({ code: 0, stdout: `descry.local/p3@${sha256(bytes)}\n` });
      expect(server.registry.content.get(`descry.local/p3@${sha256(bytes)}`)?.mediaType).toBe("text/plain");
      expect(await readdir(TMPDIR)).toEqual([]);
    },
  );

  test("wraps a file as an artifact about a subject", async () => {
    const repository = "descry.local/p4";
    const { index } = seedImage(repository);
    const path = await file("sbom.json", `{"sbom":1}`);
    const flags = ["--subject", "descry.local/p4:latest", "--artifact-type", "application/sbom"];
    const outcome = await descry(
      "push",
      repository,
      path,
      ...flags,
      "--media-type",
      "application/json",
      "--tag",
      "sbom",
    );
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    const digest = outcome.stdout.trim().slice(repository.length + 1);
    expect(server.registry.tags.get(`${repository}:sbom`)).toBe(digest);
    const kept = server.registry.content.get(`${repository}@${digest}`);
    const size = server.registry.content.get(`${repository}@${index}`)?.bytes.byteLength;
    const blob = new TextEncoder().encode(`{"sbom":1}`);
    // image-spec 1.1, manifest.md, "Guidelines for Artifact Usage"; the empty descriptor is its example.
    expect(JSON.parse(new TextDecoder().decode(kept?.bytes))).toEqual({
      schemaVersion: 2,
      mediaType: MANIFEST,
      artifactType: "application/sbom",
      config: {
        mediaType: "application/vnd.oci.empty.v1+json",
        digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        size: 2,
        data: "e30=",
      },
      layers: [
        {
          ...descriptor(blob, "application/json"),
          annotations: { "org.opencontainers.image.title": "sbom.json" },
        },
      ],
      subject: { mediaType: INDEX, digest: index, size },
    });
    expect(server.registry.content.has(`${repository}@${sha256(blob)}`)).toBe(true);
    const listed = await descry("referrers", "descry.local/p4:latest");
    expect(listed).toMatchObject({ code: 0, stdout: `${digest}\tapplication/sbom\n` });
  });

  test.each([
    ["a file that is not there", ["descry.local/p9", "none"], 1, "ENOENT"],
    ["no file", ["descry.local/p9"], 2, "missing required argument 'file'"],
    ["a tag on a blob", ["descry.local/p9:v1", "blob9"], 2, "a tag names a manifest"],
    ["a tag that is none", ["descry.local/p9", "manifest9", "--tag", "a b"], 2, `--tag "a b" is no tag`],
    ["tags and a digest", [`descry.local/p9:v1@sha256:${"0".repeat(64)}`, "manifest9"], 2, "tags or a digest"],
    ["a manifest wrapped", ["descry.local/p9", "manifest9", "--artifact-type", "x/y"], 2, "the file is a manifest"],
    ["a subject elsewhere", ["descry.local/p9", "blob9", "--subject", "descry.local/p8:v1"], 2, "another repository"],
    ["a kind that is none", ["descry.local/p9", "blob9", "--kind", "layer"], 2, "Allowed choices are manifest, blob"],
    ["a manifest without a type", ["descry.local/p9", "blob9", "--kind", "manifest"], 2, "--media-type"],
  ])("%s", async (_, args, code, says) => {
    await file("blob9", "just bytes");
    await file("manifest9", manifest);
    const outcome = await descry("push", ...args);
    expect(outcome).toMatchObject({ code, stdout: "" });
    expect(outcome.stderr).toContain(says);
    expect([...server.registry.content.keys()].filter((key) => key.startsWith("descry.local/p9"))).toEqual([]);
  });
});

describe.concurrent("tags", () => {
  test("ls prints names, or JSON with digests", async () => {
    const digest = server.registry.seed("descry.local/t1", bytesOf(5), MANIFEST, "a1");
    server.registry.seed("descry.local/t1", bytesOf(5), MANIFEST, "b1");
    expect(await descry("tags", "ls", "descry.local/t1")).toMatchObject({ code: 0, stdout: "a1\nb1\n", stderr: "" });
    const listed = await descry("tags", "ls", "descry.local/t1", "--prefix", "b", "--format", "json");
    expect(JSON.parse(listed.stdout)).toEqual({ name: "b1", digest });
  });

  test("set points a tag at a digest or at what another tag names", async () => {
    const one = server.registry.seed("descry.local/t2", bytesOf(5), MANIFEST, "v1");
    const two = server.registry.seed("descry.local/t2", bytesOf(6), MANIFEST);
    expect(await descry("tags", "set", "descry.local/t2:v2", two)).toMatchObject({
      code: 0,
      stdout: `descry.local/t2@${two}\n`,
    });
    expect(await descry("tags", "set", "descry.local/t2:v2", "descry.local/t2:v1", "--format", "json")).toMatchObject({
      code: 0,
    });
    expect(server.registry.tags.get("descry.local/t2:v2")).toBe(one);
    const refused = await descry("tags", "set", "descry.local/t2:v2", two, "--if-absent");
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("somebody else set the tag");
  });

  test("rm prints what the tag pointed to", async () => {
    const digest = server.registry.seed("descry.local/t3", bytesOf(5), MANIFEST, "v1");
    expect(await descry("tags", "rm", "descry.local/t3:v1")).toMatchObject({
      code: 0,
      stdout: `descry.local/t3@${digest}\n`,
    });
    expect(server.registry.content.has(`descry.local/t3@${digest}`)).toBe(true);
  });

  test.each([
    ["set without a tag", ["set", "descry.local/t9", `sha256:${"0".repeat(64)}`], 2, "names no tag"],
    ["set to another repository's", ["set", "descry.local/t9:v1", "descry.local/t8:v1"], 2, "another repository"],
    ["set under two conditions", ["set", "x:y", "z", "--if-absent", "--if-digest", "w"], 2, "cannot be used with"],
    ["set to what is not there", ["set", "descry.local/t9:v1", `sha256:${"0".repeat(64)}`], 3, "has no sha256:000"],
    ["rm of a digest", ["rm", `descry.local/t9@sha256:${"0".repeat(64)}`], 2, "names no tag"],
    ["rm of nothing", ["rm", "descry.local/t9:v1"], 3, "is unknown"],
    ["a command that is none", ["lss"], 2, "Did you mean ls?"],
    ["ls of two", ["ls", "a", "b"], 2, "too many arguments"],
  ])("%s", async (_, args, code, says) => {
    const outcome = await descry("tags", ...args);
    expect(outcome).toMatchObject({ code, stdout: "" });
    expect(outcome.stderr).toContain(says);
  });
});

describe.concurrent("referrers", () => {
  test("prints OCI descriptors", async () => {
    const subject = server.registry.seed("descry.local/re1", bytesOf(5), "text/plain", "v1");
    const bytes = json({ schemaVersion: 2, artifactType: "a/b", subject: { digest: subject } });
    const digest = server.registry.seed("descry.local/re1", bytes, MANIFEST);
    const outcome = await descry("referrers", "descry.local/re1:v1", "--artifact-type", "a/b", "--format", "json");
    expect(JSON.parse(outcome.stdout)).toEqual({
      mediaType: MANIFEST,
      digest,
      size: bytes.byteLength,
      artifactType: "a/b",
    });
  });

  test("of nothing is an error", async () => {
    expect(await descry("referrers", "descry.local/none:v1")).toMatchObject({ code: 3, stdout: "" });
  });
});

describe.concurrent("delete", () => {
  test("says on stderr what goes, and with --force goes ahead", async () => {
    const digest = server.registry.seed("descry.local/d1", bytesOf(5), MANIFEST, "v1");
    server.registry.seed("descry.local/d1", bytesOf(5), MANIFEST, "v2");
    const ref = `descry.local/d1@${digest}`;
    const outcome = await descry("delete", ref, "--force");
    expect(outcome).toMatchObject({ code: 0, stdout: `${ref}\n`, stderr: `deletes ${ref}\n  and its tags: v1, v2\n` });
    expect(server.registry.content.has(ref)).toBe(false);
  });

  test("deletes nothing when nobody can be asked", async () => {
    server.registry.seed("descry.local/d2", bytesOf(5), MANIFEST, "v1");
    const outcome = await descry("delete", "descry.local/d2:v1");
    expect(outcome).toMatchObject({ code: 2, stdout: "" });
    expect(outcome.stderr).toContain("give --force");
    expect(server.registry.tags.has("descry.local/d2:v1")).toBe(true);
  });

  test("of nothing is an error", async () => {
    expect(await descry("delete", "descry.local/none:v1", "--force")).toMatchObject({ code: 3, stdout: "" });
  });
});

describe.concurrent("the server and the caller", () => {
  test("flag, token and token file reach the server", async () => {
    server.registry.seed("descry.local/c1", bytesOf(5), MANIFEST, "v1");
    const path = await file("token", "from-file\n");
    await cli.descry(["resolve", "descry.local/c1:v1", "--server", server.url], { env: { DESCRY_TOKEN: "from-env" } });
    await cli.descry(["resolve", "descry.local/c1:v1", "--server", server.url, "--token-file", path]);
    const sent = server.requests.map(({ headers }) => headers.authorization);
    expect(sent).toContain("Bearer from-env");
    expect(sent).toContain("Bearer from-file");
  });

  test.each([
    ["nobody listens", "http://127.0.0.1:9", 6, "is a server running there?"],
    ["a URL that is none", "localhost", 2, "is no server URL"],
    ["a socket that is not there", "unix:///nonexistent/socket", 6, "is a server running there?"],
  ])("%s", async (_, url, code, says) => {
    const outcome = await cli.descry(["resolve", "x", "--server", url]);
    expect(outcome).toMatchObject({ code, stdout: "" });
    expect(outcome.stderr).toContain(says);
    expect(outcome.stderr.split("\n")).toHaveLength(2);
  });

  test("--debug shows the causes", async () => {
    const outcome = await cli.descry(["resolve", "x", "--server", "http://127.0.0.1:9", "--debug"]);
    expect(outcome.code).toBe(6);
    expect(outcome.stderr).toContain("[cause]");
  });

  test("a configuration that is wrong is a usage error with its place", async () => {
    const path = await file("config.toml", "\nlisten = 1\n");
    const outcome = await cli.descry(["resolve", "x", "--config", path]);
    expect(outcome).toMatchObject({ code: 2, stdout: "" });
    expect(outcome.stderr).toContain(`descry: ${path}:2: listen must be a list`);
  });
});

test("help and version are data; a command that is none is not", async () => {
  const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
  expect(await descry("--version")).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: "" });
  const help = await descry("--help");
  expect(help).toMatchObject({ code: 0, stderr: "" });
  expect(help.stdout).toContain("resolve [options] <ref...>");
  const wrong = await descry("resolv");
  expect(wrong).toMatchObject({ code: 2, stdout: "" });
  expect(wrong.stderr).toContain("Did you mean resolve?");
});
