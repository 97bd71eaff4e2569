import { createHash } from "node:crypto";
import { resolve } from "node:path";
import * as fc from "fast-check";
import { stringify } from "smol-toml";
import { describe, expect, test } from "vitest";
import { type Config, type Environment, type Flags, loadConfig } from "../../src/config/config.ts";
import { DescryError } from "../../src/oci/errors.ts";

const HOME = { HOME: "/home/ada" };
const CONFIG_FILE = "/etc/descry/config.toml";

/** Loads with `files` as the whole file system. */
async function load(flags: Flags = {}, env: Environment = {}, files: Record<string, string> = {}): Promise<Config> {
  return await loadConfig(flags, { ...HOME, ...env }, (path) => Promise.resolve(files[path]));
}

async function loadFile(text: string): Promise<Config> {
  return await load({ config: CONFIG_FILE }, {}, { [CONFIG_FILE]: text });
}

const hash = (token: string): string => createHash("sha256").update(token).digest("hex");

test("without anything, it is a loopback server with its data in the home directory", async () => {
  const config = await load();
  expect(config).toEqual({
    dataDir: "/home/ada/.local/share/descry",
    listen: ["http://127.0.0.1:7070"],
    allowedHosts: [],
    corsOrigins: [],
    callers: [],
    insecureAllowAnonymous: false,
  });
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.listen)).toBe(true);
});

test("a file says everything; its paths are relative to it", async () => {
  const config = await loadFile(`
    data_dir = "../../var/descry"
    listen = ["https://0.0.0.0:7443", "unix:///run/descry.sock"]
    insecure_allow_anonymous = true
    tls = { cert = "tls/chain.pem", key = "/secret/key.pem" }
    [server]
    allowed_hosts = ["images.example"]
    cors_origins = ["https://console.example"]
    drain_seconds = 2.5
    max_connections = 10
    [client]
    server = "https://images.example"
    [[caller]]
    name = "ci"
    token_sha256 = "${hash("t1").toUpperCase()}"
    allow = [{ verbs = ["pull", "push"], repositories = ["descry.local/team/*"] }, { repositories = ["*"] }]
    [[caller]]
    name = "ada"
    token_sha256 = "${hash("t2")}"
  `);
  expect(config).toEqual({
    dataDir: "/var/descry",
    listen: ["https://0.0.0.0:7443", "unix:///run/descry.sock"],
    insecureAllowAnonymous: true,
    tls: { cert: "/etc/descry/tls/chain.pem", key: "/secret/key.pem" },
    allowedHosts: ["images.example"],
    corsOrigins: ["https://console.example"],
    drainMs: 2500,
    maxConnections: 10,
    server: "https://images.example",
    callers: [
      {
        name: "ci",
        tokenSha256: hash("t1"),
        allow: [
          { verbs: ["pull", "push"], repositories: ["descry.local/team/*"] },
          { verbs: ["pull"], repositories: ["*"] },
        ],
      },
      { name: "ada", tokenSha256: hash("t2"), allow: [{ verbs: ["pull"], repositories: ["*"] }] },
    ],
  });
});

describe("flag before environment before file before default", () => {
  const text = `data_dir = "/file"\n[client]\nserver = "http://file"\ntoken_file = "/token"`;
  const files = { [CONFIG_FILE]: text, "/token": "from-file\n", "/other": "from-flag" };
  const environment = { DESCRY_DATA_DIR: "/env", DESCRY_SERVER: "http://env", DESCRY_TOKEN: "from-env" };
  const flags = { dataDir: "/flag", server: "http://flag", tokenFile: "/other" };
  test.each([
    [flags, environment, "flag"],
    [{}, environment, "env"],
    [{}, {}, "file"],
    // Empty means not set.
    [{}, { DESCRY_DATA_DIR: "", DESCRY_SERVER: "", DESCRY_TOKEN: "" }, "file"],
  ])("%j %j", async (given, env, winner) => {
    const config = await load({ ...given, config: CONFIG_FILE }, env, files);
    const { dataDir, server, token } = config;
    expect({ dataDir, server, token }).toEqual({
      dataDir: `/${winner}`,
      server: `http://${winner}`,
      token: `from-${winner}`,
    });
  });

  test("the file itself: flag, DESCRY_CONFIG, XDG_CONFIG_HOME, home", async () => {
    const all = {
      "/flag.toml": `data_dir = "/1"`,
      "/env.toml": `data_dir = "/2"`,
      "/xdg/descry/config.toml": `data_dir = "/3"`,
      "/home/ada/.config/descry/config.toml": `data_dir = "/4"`,
    };
    const xdg = { XDG_CONFIG_HOME: "/xdg" };
    const env = { ...xdg, DESCRY_CONFIG: "/env.toml" };
    expect((await load({ config: "/flag.toml" }, env, all)).dataDir).toBe("/1");
    expect((await load({}, env, all)).dataDir).toBe("/2");
    expect((await load({}, xdg, all)).dataDir).toBe("/3");
    expect((await load({}, {}, all)).dataDir).toBe("/4");
  });

  test("XDG_DATA_HOME holds the data", async () => {
    expect((await load({}, { XDG_DATA_HOME: "/xdg" })).dataDir).toBe("/xdg/descry");
  });

  test("flags of serve", async () => {
    const config = await load({ listen: ["http://[::1]:0"], tlsCert: "c.pem", tlsKey: "/k.pem", drainSeconds: 1 });
    expect(config).toMatchObject({ listen: ["http://[::1]:0"], drainMs: 1000 });
    expect(config.tls).toEqual({ cert: resolve("c.pem"), key: "/k.pem" });
  });
});

describe("what is wrong is refused, with file, line, key and what to do", () => {
  const caller = `[[caller]]\nname = "ci"\ntoken_sha256 = "${hash("t")}"\n`;
  test.each([
    ["listne = []", ":1: listne is no setting; there is caller, client, data_dir, insecure_allow_anonymous, listen, "],
    ["\n[server]\nlisten = []", ":3: server.listen is no setting"],
    ["data_dir = 1", ":1: data_dir must be a text in quotes"],
    [`data_dir = ""`, ":1: data_dir must be a text in quotes"],
    [`listen = "http://127.0.0.1:1"`, `:1: listen must be a list: listen = ["…"]`],
    ["listen = [1]", ":1: listen must hold texts"],
    [`insecure_allow_anonymous = "yes"`, ":1: insecure_allow_anonymous must be true or false"],
    ["server = 1", ":1: server must be a table: [server]"],
    ["server = 1979-05-27", ":1: server must be a table"],
    ["[caller]", ":1: caller must be tables: [[caller]]"],
    ["[server]\ndrain_seconds = -1", ":2: server.drain_seconds must be a number from 0 to 3600"],
    ["[server]\ndrain_seconds = nan", ":2: server.drain_seconds must be a number from 0 to 3600"],
    ["[server]\n\nmax_connections = 1.5", ":3: server.max_connections must be a whole number"],
    [`[[caller]]\ntoken_sha256 = "${hash("t")}"`, ":1: caller.0.name is missing"],
    [
      `[[caller]]\nname = "local"\ntoken_sha256 = "${"a".repeat(64)}"`,
      ':2: caller.0.name "local" is the server\'s own',
    ],
    [`[[caller]]\nname = "a b"`, ":2: caller.0.name must be 1 to 64 letters"],
    [`[[caller]]\nname = "a"\ntoken_sha256 = "secret"`, ":3: caller.0.token_sha256 must be 64 hex digits: printf"],
    [`${caller}${caller}`, `:5: caller.1.name "ci" is another caller's, too`],
    [`${caller}${caller.replace("ci", "cd")}`, ":6: caller.1.token_sha256 is another caller's, too"],
    [`${caller}token = "x"`, ":4: caller.0.token is no setting"],
    [
      `${caller}allow = [{ verbs = ["write"], repositories = ["*"] }]`,
      `:4: caller.0.allow.0.verbs holds "write"; there is`,
    ],
    [`${caller}allow = [{ verbs = ["push"] }]`, ":4: caller.0.allow.0.repositories is missing"],
    [`${caller}allow = [{ repositories = ["alpine"] }]`, `which means "docker.io/library/alpine"; write that`],
    [`${caller}allow = [{ repositories = ["team/*"] }]`, `which means "docker.io/team/*"; write that`],
    [`${caller}allow = [{ repositories = ["descry.local/*/x"] }]`, "which is no repository"],
    [`${caller}[[caller.allow]]\nverbz = []\nrepositories = ["*"]`, ":5: caller.0.allow.0.verbz is no setting"],
    ["data_dir = ", ":1:12: Invalid TOML document"],
    ["__proto__ = 1", ":1:"],
    ["[tls]\ncert = 'x'", "there is a certificate without a key; give --tls-key"],
    ["[tls]\nkey = 'x'", "there is a key without a certificate; give --tls-cert"],
  ])("%j", async (text, problem) => {
    const error = await loadFile(text).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ name: "DescryError", reason: "FIELD_INVALID" });
    expect(String(error)).toContain(problem);
    if (problem.startsWith(":")) expect(String(error)).toContain(CONFIG_FILE + problem);
  });

  test("a file that is not there, if it was named", async () => {
    await expect(load({ config: "/none.toml" })).rejects.toThrow("there is no file /none.toml");
    await expect(load({}, { DESCRY_CONFIG: "/none.toml" })).rejects.toThrow("there is no file /none.toml");
    await expect(load({ tokenFile: "/none" })).rejects.toThrow("there is no file /none");
    await expect(load({ tokenFile: "/empty" }, {}, { "/empty": " \n" })).rejects.toThrow("is empty");
  });
});

test("whatever a file holds, it is read or refused with a DescryError", async () => {
  const words = fc.constantFrom(
    "listen",
    "caller",
    "server",
    "tls",
    "name",
    "allow",
    "verbs",
    "[",
    "]",
    "[[",
    "]]",
    "=",
  );
  const texts = fc.oneof(
    fc.string(),
    fc
      .array(fc.oneof(words, fc.constantFrom("\n", " ", '"', "{", "}", ",", "1", "true", "nan", ".")))
      .map((w) => w.join("")),
    fc.dictionary(words, fc.jsonValue()).map((value) => {
      try {
        return stringify(value);
      } catch {
        return "";
      }
    }),
  );
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      const outcome = await loadFile(text).catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(DescryError);
    }),
    { numRuns: 500 },
  );
});

test("what a file states is what is loaded", async () => {
  const text = fc.string({ minLength: 1, maxLength: 20 });
  const settings = fc.record(
    {
      listen: fc.array(text),
      insecure_allow_anonymous: fc.boolean(),
      server: fc.record(
        { allowed_hosts: fc.array(text), max_connections: fc.integer({ min: 1, max: 1_000_000 }) },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(settings, async (value) => {
      const config = await loadFile(stringify(value));
      expect(config.listen).toEqual(value.listen ?? ["http://127.0.0.1:7070"]);
      expect(config.insecureAllowAnonymous).toBe(value.insecure_allow_anonymous ?? false);
      expect(config.allowedHosts).toEqual(value.server?.allowed_hosts ?? []);
      expect(config.maxConnections).toBe(value.server?.max_connections);
    }),
  );
});
