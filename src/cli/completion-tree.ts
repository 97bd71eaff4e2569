import type { Command, Option } from "commander";

/** A command as a completion script needs it. */
export interface CommandInfo {
  /** Names from the program on: `tags ls`; empty for the program. */
  readonly path: string;
  readonly subcommands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly OptionInfo[];
  /** Values of the first argument, if they are known. */
  readonly choices: readonly string[];
  /** Some argument is a file. */
  readonly takesFile: boolean;
}

export interface OptionInfo {
  /** `-o`, without the dashes. */
  readonly short?: string;
  /** `--output`, without the dashes. */
  readonly long: string;
  readonly description: string;
  /** What its value is; undefined: it takes none. */
  readonly value?: "choice" | "file" | "directory" | "text";
  readonly choices: readonly string[];
}

/** All commands of a program, itself first. */
export function describeCommands(program: Command): readonly CommandInfo[] {
  const visit = (command: Command, path: string): readonly CommandInfo[] => [
    {
      path,
      subcommands: command.commands.map((child) => ({ name: child.name(), description: child.description() })),
      options: [...command.options.map(describeOption), { ...help, description: "print help" }],
      choices: command.registeredArguments[0]?.argChoices ?? [],
      takesFile: command.registeredArguments.some((argument) => argument.name() === "file"),
    },
    ...command.commands.flatMap((child) => visit(child, path === "" ? child.name() : `${path} ${child.name()}`)),
  ];
  return visit(program, "");
}

const help = { short: "h", long: "help", choices: [] };

function describeOption(option: Option): OptionInfo {
  const { short, long = "", description, argChoices: choices = [] } = option;
  const takesValue = option.required || option.optional;
  return {
    ...(short === undefined ? {} : { short: short.slice(1) }),
    long: long.slice(2),
    description,
    choices,
    ...(takesValue ? { value: valueKind(option.flags, choices) } : {}),
  };
}

function valueKind(flags: string, choices: readonly string[]): NonNullable<OptionInfo["value"]> {
  if (choices.length > 0) return "choice";
  if (flags.endsWith("<file>")) return "file";
  return flags.endsWith("<directory>") ? "directory" : "text";
}
