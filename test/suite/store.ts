import { afterAll, beforeAll, describe } from "vitest";
import type { Digest } from "../../src/oci/digest.ts";
import type { Store } from "../../src/store/store.ts";
import type { Damage } from "../support/memory-store.ts";
import { collectTests } from "./store-collect.ts";
import { readTests } from "./store-reads.ts";
import { tableTests } from "./store-table.ts";
import { tagTests } from "./store-tags.ts";
import { uploadTests } from "./store-uploads.ts";
import { checkTests } from "./store-check.ts";

/** A store to be tested, with what a test needs to turn. */
export interface Rig {
  readonly store: Store;
  /** Milliseconds since 1970. Tests move it on, never back. */
  readonly clock: { now: number };
  /** Spoils bytes behind the store's back. */
  readonly damage: (digest: Digest, how: Damage) => Promise<void>;
  close(): Promise<void>;
}

/**
 * Every promise of the store contract. The tests share one store, as everybody does: each has repositories and
 * content of its own.
 */
export function storeSuite(name: string, open: () => Promise<Rig>): void {
  describe(`the store contract: ${name}`, () => {
    let opened: Rig | undefined;
    const rig = (): Rig => {
      if (opened === undefined) throw new Error("the store is not open");
      return opened;
    };
    beforeAll(async () => void (opened = await open()));
    afterAll(async () => opened?.close());

    describe("states and calls", () => tableTests(rig));
    describe("uploads", () => uploadTests(rig));
    describe("reads", () => readTests(rig));
    describe("tags, referrers and removal", () => tagTests(rig));
    describe("collection", () => collectTests(rig));
    describe("check, usage and leadership", () => checkTests(rig));
  });
}
