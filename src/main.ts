#!/usr/bin/env node
import { enableCompileCache } from "node:module";

// Before anything else is loaded, so that it is worth something from the second start on.
enableCompileCache();
const { runProcess } = await import("./cli/process.ts");
process.exitCode = await runProcess(process);
