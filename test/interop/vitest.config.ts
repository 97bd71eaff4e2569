import { defineConfig } from "vitest/config";
import base from "../../vitest.config.ts";

/**
 * Clients that descry's authors did not write, against a descry in a process of its own: `npm run test:interop`. Not a
 * part of `npm test`, because it needs Go, Python and package registries.
 */
export default defineConfig({
  test: {
    ...base.test,
    include: ["test/interop/**/*.interop.ts"],
    // A first run downloads and compiles Go's and Python's tools.
    hookTimeout: 300_000,
    testTimeout: 60_000,
  },
});
