import type { CommandInfo, OptionInfo } from "./completion-tree.ts";

/** A completion script for zsh 5: put it as `_descry` into a directory of $fpath, or source it. */
export function zshScript(commands: readonly CommandInfo[]): string {
  return `#compdef descry
# zsh completion for descry: source <(descry completion zsh)
${commands.map(commandFunction).join("\n")}
if [[ "\${funcstack[1]}" == _descry ]]; then _descry "$@"; else compdef _descry descry; fi
`;
}

function functionName(path: string): string {
  return path === "" ? "_descry" : `_descry_${path.replaceAll(" ", "_")}`;
}

function commandFunction(command: CommandInfo): string {
  const { path, subcommands, options, choices, takesFile } = command;
  const specs = options.flatMap(optionSpecs);
  if (subcommands.length > 0) {
    const described = subcommands.map(({ name, description }) => quote(`${name}:${escapeColons(description)}`));
    const cases = subcommands.map(({ name }) => {
      return `    ${name}) ${functionName(path === "" ? name : `${path} ${name}`)} ;;`;
    });
    return `${functionName(path)}() {
  local context state line curcontext="$curcontext"
  _arguments -C ${[...specs, `'1: :->command'`, `'*:: :->rest'`].join(" ")}
  case "$state" in
    command) local -a commands=(${described.join(" ")}); _describe command commands ;;
    rest) case "$line[1]" in
${cases.join("\n")}
    esac ;;
  esac
}`;
  }
  const rest =
    choices.length > 0 ? `'1:value:(${choices.join(" ")})'` : takesFile ? `'*:file:_files'` : `'*:reference:'`;
  return `${functionName(path)}() {
  _arguments ${[...specs, rest].join(" ")}
}`;
}

function optionSpecs({ short, long, description, value, choices }: OptionInfo): readonly string[] {
  const about = `[${description.replace(/[[\]]/g, "\\$&")}]`;
  const actions = {
    choice: `:value:(${choices.join(" ")})`,
    file: ":file:_files",
    directory: ":directory:_files -/",
    text: ":value:",
  };
  const action = value === undefined ? "" : actions[value];
  const names = [...(short === undefined ? [] : [`-${short}`]), `--${long}`];
  return names.map((name) => quote(`*${name}${about}${action}`));
}

function escapeColons(text: string): string {
  return text.replaceAll(":", "\\:");
}

/** A word for zsh, whatever is in it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
