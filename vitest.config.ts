import { defineConfig } from "vitest/config";

/** Tests run as Node runs the sources, without a transform, so that `#hash` and `#transport` resolve as they do in production. */
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Forked children and workers inherit it; a spawned `node src/main.ts` has to be given it.
    execArgv: ["--conditions=descry-source"],
    experimental: { viteModuleRunner: false, nodeLoader: false },
    // Two cores are the smallest machine; a test that starts servers and child processes shares them with others.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Colours in captured output would make what a child prints depend on who looks.
    env: { NO_COLOR: "1" },
  },
});
