#!/usr/bin/env node
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

// Before anything else is loaded, so that it is worth something from the second start on. Not in the shared temporary
// directory, Node's default: what lies there is run.
const { NODE_COMPILE_CACHE, XDG_CACHE_HOME } = process.env;
enableCompileCache(NODE_COMPILE_CACHE ?? join(XDG_CACHE_HOME || join(homedir(), ".cache"), "descry"));
const { runProcess } = await import("./cli/process.ts");
process.exitCode = await runProcess(process);
