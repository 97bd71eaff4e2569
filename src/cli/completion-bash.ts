import type { CommandInfo, OptionInfo } from "./completion-tree.ts";

/** A completion script for bash 3.2 and later; it needs no other package. */
export function bashScript(commands: readonly CommandInfo[]): string {
  const paths = commands.filter(({ path }) => path !== "").map(({ path }) => quote(path));
  return `# bash completion for descry: source <(descry completion bash)
_descry_words() { COMPREPLY=($(compgen -W "$1" -- "$current")); }
_descry_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen "$1" -- "$current"))
}
_descry() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path="" word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "\${path:+$path }$word" in
      ${paths.join(" | ")}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path:$previous" in
${commands.flatMap(valueCases).join("\n")}
  esac
  case "$path:$current" in
${commands.flatMap(wordCases).join("\n")}
  esac
}
complete -F _descry descry
`;
}

/** After an option that takes a value: its values. */
function valueCases({ path, options }: CommandInfo): readonly string[] {
  return options
    .filter(({ value }) => value !== undefined)
    .map((option) => {
      const patterns = spellings(option).map((spelling) => quote(`${path}:${spelling}`));
      return `    ${patterns.join(" | ")}) ${values(option)} return ;;`;
    });
}

function values({ value, choices }: OptionInfo): string {
  if (value === "choice") return `_descry_words ${quote(choices.join(" "))};`;
  if (value === "file") return "_descry_files -f;";
  return value === "directory" ? "_descry_files -d;" : "";
}

/** Else: the command's options, subcommands and arguments. */
function wordCases({ path, subcommands, options, choices, takesFile }: CommandInfo): readonly string[] {
  const flags = options.flatMap(spellings).join(" ");
  const words = [...subcommands.map(({ name }) => name), ...choices].join(" ");
  return [
    `    ${quote(`${path}:-`)}*) _descry_words ${quote(flags)} ;;`,
    ...(takesFile ? [`    ${quote(`${path}:`)}*) _descry_files -f ;;`] : []),
    ...(words === "" ? [] : [`    ${quote(`${path}:`)}*) _descry_words ${quote(words)} ;;`]),
  ];
}

function spellings({ short, long }: OptionInfo): readonly string[] {
  return [...(short === undefined ? [] : [`-${short}`]), `--${long}`];
}

/** A word for bash, whatever is in it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
