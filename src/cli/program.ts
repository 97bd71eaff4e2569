import { Argument, Command, InvalidArgumentError, Option } from "commander";
import type { CompletionFlags } from "./completion.ts";
import type { ClientFlags } from "./connect.ts";
import type { DeleteFlags } from "./delete.ts";
import type { FetchFlags } from "./fetch.ts";
import type { Io } from "./io.ts";
import type { PushFlags } from "./push.ts";
import type { ReferrersFlags } from "./referrers.ts";
import type { ResolveFlags } from "./resolve.ts";
import type { ServeFlags } from "./serve.ts";
import type { SystemFlags } from "./system.ts";
import type { ListTagsFlags, RemoveTagFlags, SetTagFlags } from "./tags.ts";
import { VERSION } from "./version.ts";

/**
 * The tree of commands, with what each takes. What a command does is loaded when it runs: `descry --help` and
 * completion load nothing else, and `descry resolve` no server.
 */
export function createProgram(io: Io): Command {
  const program = new Command("descry")
    .description("One image API for container registries: resolve, fetch and push OCI content")
    .version(VERSION, "--version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, print) => print(text.replace(/^error: /, "descry: ")),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError("(add --help for what there is)");

  addServe(program, io);
  addContentCommands(program, io);
  addTags(program, io);
  addSystem(program, io);
  program
    .command("completion")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
    .addOption(debugOption())
    .action(async (shell: CompletionFlags["shell"]) => {
      const { completion } = await import("./completion.ts");
      await completion(io, program, { shell });
    });
  return program;
}

function addServe(program: Command, io: Io): void {
  program
    .command("serve")
    .description("serve the API and the embedded registry, descry.local")
    .option("--listen <url>", "http://HOST:PORT, https://HOST:PORT or unix:///PATH; may be repeated", several)
    .option("--demo", "put descry.local/hello:latest there to play with")
    .option("--tls-cert <file>", "certificate chain for https addresses, PEM")
    .option("--tls-key <file>", "its key, PEM")
    .option("--drain-seconds <seconds>", "how long running calls may take when the server stops", seconds)
    .option("--insecure-allow-anonymous", "let everybody who reaches the server do everything")
    .addOption(dataDirOption())
    .addOption(configOption())
    .addOption(debugOption())
    .action(async (flags: ServeFlags) => {
      const { serve } = await import("./serve.ts");
      await serve(io, flags);
    });
}

function addContentCommands(program: Command, io: Io): void {
  clientCommand(program, "resolve")
    .description("print what references name now, as repository@digest")
    .argument("<ref...>", "references: [host/]path[:tag][@digest]")
    .option("--platform <platform>", "the image for a platform out of an index: linux/arm64")
    .addOption(formatOption())
    .action(async (refs: readonly string[], flags: ResolveFlags & ClientFlags) => {
      const [{ resolve }, { withDescry }] = await Promise.all([import("./resolve.ts"), import("./connect.ts")]);
      await withDescry(io, flags, (descry) => resolve(io, descry, refs, flags));
    });

  clientCommand(program, "fetch")
    .description("write content to standard output or a file")
    .argument("<ref>", "reference: where the content is, and what, unless --digest says so")
    .option("--digest <digest>", "content of the same repository")
    .option("--media-type <type>", "its media type: where to look first")
    .option("--offset <bytes>", "first byte; only with a digest", count)
    .option("--length <bytes>", "most bytes; only with a digest", count)
    .option("-o, --output <file>", "write to a file, whole and verified or not at all; - is standard output")
    .action(async (ref: string, flags: FetchFlags & ClientFlags) => {
      const [{ fetch }, { withDescry }] = await Promise.all([import("./fetch.ts"), import("./connect.ts")]);
      await withDescry(io, flags, (descry) => fetch(io, descry, ref, flags));
    });

  clientCommand(program, "push")
    .description("store a file: a manifest, a blob, or wrapped as an artifact")
    .argument("<ref>", "reference: where to; a tag is set if there is one")
    .argument("<file>", "the file; - is standard input")
    .option("--media-type <type>", "media type of the file; a manifest's is read from it")
    .addOption(kindOption("what the file is, where its media type does not tell"))
    .option("--tag <tag>", "set this tag too; may be repeated", several)
    .option("--subject <digest|ref>", "wrap the file as an artifact about this manifest")
    .option("--artifact-type <type>", "wrap the file as an artifact of this type")
    .addOption(formatOption())
    .action(async (ref: string, file: string, flags: PushFlags & ClientFlags) => {
      const [{ push }, { withDescry }] = await Promise.all([import("./push.ts"), import("./connect.ts")]);
      await withDescry(io, flags, (descry) => push(io, descry, ref, file, flags));
    });

  clientCommand(program, "referrers")
    .description("list what refers to a manifest: signatures, SBOMs, attestations")
    .argument("<ref>", "reference of the subject")
    .option("--artifact-type <type>", "only of this type; may be repeated", several)
    .addOption(formatOption())
    .action(async (ref: string, flags: ReferrersFlags & ClientFlags) => {
      const [{ referrers }, { withDescry }] = await Promise.all([import("./referrers.ts"), import("./connect.ts")]);
      await withDescry(io, flags, (descry) => referrers(io, descry, ref, flags));
    });

  clientCommand(program, "delete")
    .description("delete a tag (repository:tag) or a manifest with its tags (repository@digest)")
    .argument("<ref>", "reference with a tag or a digest")
    .addOption(kindOption("what to delete by digest; default: a manifest"))
    .option("-f, --force", "do not ask")
    .addOption(formatOption())
    .action(async (ref: string, flags: DeleteFlags & ClientFlags) => {
      const [{ remove }, { withDescry }] = await Promise.all([import("./delete.ts"), import("./connect.ts")]);
      await withDescry(io, flags, (descry) => remove(io, descry, ref, flags));
    });
}

function addTags(program: Command, io: Io): void {
  const tags = program.command("tags").description("list, set and remove tags");

  clientCommand(tags, "ls")
    .description("list a repository's tags")
    .argument("<repository>", "host/path")
    .option("--prefix <text>", "only tags that start so")
    .option("--omit-digest-tags", "leave out tags that stand for a digest (sha256-…)")
    .addOption(formatOption())
    .action(async (repository: string, flags: ListTagsFlags & ClientFlags) => {
      const [{ listTags }, { withDescry }] = await Promise.all([import("./tags.ts"), import("./connect.ts")]);
      await withDescry(io, flags, (descry) => listTags(io, descry, repository, flags));
    });

  clientCommand(tags, "set")
    .description("point a tag at a manifest its repository has")
    .argument("<ref>", "repository:tag")
    .argument("<target>", "digest, or a reference in the same repository")
    .addOption(new Option("--if-digest <digest>", "only if the tag points there now").conflicts("ifAbsent"))
    .option("--if-absent", "only if the tag does not exist")
    .addOption(formatOption())
    .action(async (ref: string, target: string, flags: SetTagFlags & ClientFlags) => {
      const [{ setTag }, { withDescry }] = await Promise.all([import("./tags.ts"), import("./connect.ts")]);
      await withDescry(io, flags, (descry) => setTag(io, descry, ref, target, flags));
    });

  clientCommand(tags, "rm")
    .description("remove a tag; its manifest and other tags stay")
    .argument("<ref>", "repository:tag")
    .option("--if-digest <digest>", "only if the tag points there now")
    .addOption(formatOption())
    .action(async (ref: string, flags: RemoveTagFlags & ClientFlags) => {
      const [{ removeTag }, { withDescry }] = await Promise.all([import("./tags.ts"), import("./connect.ts")]);
      await withDescry(io, flags, (descry) => removeTag(io, descry, ref, flags));
    });
}

function addSystem(program: Command, io: Io): void {
  const system = program.command("system").description("look after the data directory");
  const commands = [
    ["df", "show what the data directory holds"],
    ["gc", "free what nobody needs"],
    ["fsck", "re-hash all content and take what is bad out of service"],
  ] as const;
  for (const [name, description] of commands)
    system
      .command(name)
      .description(description)
      .addOption(dataDirOption())
      .addOption(configOption())
      .addOption(formatOption())
      .addOption(debugOption())
      .action(async (flags: SystemFlags) => {
        const actions = await import("./system.ts");
        await actions[name](io, flags);
      });
}

/** A command that talks to a server, or to the embedded registry. */
function clientCommand(parent: Command, name: string): Command {
  return parent
    .command(name)
    .option("--server <url>", "http://, https:// or unix:// URL of a server (DESCRY_SERVER); default: none, embedded")
    .option("--token-file <file>", "file with the token for the server; DESCRY_TOKEN holds the token itself")
    .addOption(dataDirOption())
    .addOption(configOption())
    .addOption(debugOption());
}

const dataDirOption = (): Option =>
  new Option("--data-dir <directory>", "directory of the embedded registry (DESCRY_DATA_DIR)");
const configOption = (): Option => new Option("--config <file>", "configuration file, TOML (DESCRY_CONFIG)");
const debugOption = (): Option => new Option("--debug", "show where an error comes from");
const formatOption = (): Option =>
  new Option("--format <format>", "how to print").choices(["text", "json"]).default("text");
const kindOption = (description: string): Option =>
  new Option("--kind <kind>", description).choices(["manifest", "blob"]);

function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function count(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number))
    throw new InvalidArgumentError("Give a whole number of bytes, from 0.");
  return number;
}

function seconds(value: string): number {
  const number = Number(value);
  if (value.trim() === "" || !(number >= 0 && number <= 3600))
    throw new InvalidArgumentError("Give a number of seconds, from 0 to 3600.");
  return number;
}
