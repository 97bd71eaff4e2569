import type { CommandInfo, OptionInfo } from "./completion-tree.ts";

/** A completion script for fish 3.0 and later. */
export function fishScript(commands: readonly CommandInfo[]): string {
  const lines = commands.flatMap((command) => {
    const here = `test (__descry_path) = ${quote(command.path)}`;
    return [
      ...(command.takesFile ? [] : [complete(here, ["-f"])]),
      ...command.subcommands.map(({ name, description }) => complete(here, ["-f", "-a", name], description)),
      ...(command.choices.length === 0 ? [] : [complete(here, ["-f", "-a", command.choices.join(" ")])]),
      ...command.options.map((option) => complete(here, optionWords(option), option.description)),
    ];
  });
  const paths = commands
    .filter(({ path }) => path !== "")
    .map(({ path }) => quote(path))
    .join(" ");
  return `# fish completion for descry: descry completion fish | source
# The command that the words so far name.
function __descry_path
    set -l path
    for word in (commandline -opc)[2..-1]
        set -l longer (string trim -- "$path $word")
        contains -- $longer ${paths}; and set path $longer
    end
    echo $path
end
${lines.join("\n")}
`;
}

function optionWords({ short, long, value, choices }: OptionInfo): readonly string[] {
  return [
    ...(short === undefined ? [] : ["-s", short]),
    "-l",
    long,
    ...(value === "choice" ? ["-x", "-a", choices.join(" ")] : []),
    ...(value === "text" ? ["-x"] : []),
    ...(value === "file" ? ["-r", "-F"] : []),
    ...(value === "directory" ? ["-x", "-a", "(__fish_complete_directories)"] : []),
  ];
}

function complete(when: string, words: readonly string[], description = ""): string {
  const about = description === "" ? [] : ["-d", quote(description)];
  const quoted = words.map((word) => (/^[\w-]+$/.test(word) ? word : quote(word)));
  return ["complete", "-c", "descry", "-n", quote(when), ...quoted, ...about].join(" ");
}

/** A word for fish, whatever is in it. */
function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
