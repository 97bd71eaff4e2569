import type { Command } from "commander";
import { bashScript } from "./completion-bash.ts";
import { fishScript } from "./completion-fish.ts";
import { zshScript } from "./completion-zsh.ts";
import { describeCommands } from "./completion-tree.ts";
import { type Io, write } from "./io.ts";

export interface CompletionFlags {
  readonly shell: "bash" | "zsh" | "fish";
}

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** `descry completion SHELL`: generated from the commands that there are. */
export async function completion(io: Io, program: Command, { shell }: CompletionFlags): Promise<void> {
  await write(io.stdout, scripts[shell](describeCommands(program)));
}
