import { readdir } from "node:fs/promises";
import { expect } from "vitest";
import { createLayout } from "../../src/store/disk/layout.ts";
import type { Store } from "../../src/store/store.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { type Command, perform } from "./commands.ts";
import { viewOf } from "./view.ts";

/** What was done, and when. */
export type Log = readonly { readonly at: number; readonly command: Command }[];

export async function viewsOf(store: Store, repositories: readonly string[]): Promise<unknown> {
  return await Promise.all(repositories.map((repository) => viewOf(store, repository)));
}

/** A model that was told the same. */
export async function modelOf(log: Log, clock: { readonly now: number }): Promise<Store> {
  let replayed: number | undefined;
  const model = createMemoryStore(() => replayed ?? clock.now);
  for (const { at, command } of log) {
    replayed = at;
    await perform(model, command);
  }
  replayed = undefined;
  return model;
}

/** What a store shows after something died, and what it may show. */
export interface Aftermath {
  readonly store: Store;
  readonly repositories: readonly string[];
  /** What was answered. */
  readonly log: Log;
  /** What was under way. */
  readonly pending: Command | undefined;
  readonly clock: { readonly now: number };
  /** For the message. */
  readonly where: string;
}

/**
 * Expects that the store has recovered to one of the endings that the contract allows, and answers the log of that one:
 * the command under way is not there, or there as a whole, or only what was kept of an earlier upload is gone. What a
 * collection had not got to is collected first.
 */
export async function settle({ store, repositories, log, pending, clock, where }: Aftermath): Promise<Log> {
  await store.collect();
  const actual = await viewsOf(store, repositories);
  const endings: Command[][] = [[]];
  if (pending !== undefined) endings.push([pending]);
  if (pending !== undefined && "content" in pending) endings.push([{ ...pending, call: "discard" }]);
  const views = [];
  for (const ending of endings) {
    const all: Command[] = [...ending, { call: "collect" }];
    const ended = [...log, ...all.map((command) => ({ at: clock.now, command }))];
    const view = await viewsOf(await modelOf(ended, clock), repositories);
    if (JSON.stringify(view) === JSON.stringify(actual)) return ended;
    views.push(view);
  }
  const told = JSON.stringify(log.map(({ command }) => command));
  expect(actual, `${where}: ${told}, then died during ${JSON.stringify(pending)}`).toEqual(views[0]);
  throw new Error("views that are equal differ as JSON");
}

/** Expects that uploads are the parked ones, files are those of the database, and all bytes are good. */
export async function expectNothingLeft(store: Store, dataDir: string): Promise<void> {
  const layout = createLayout(dataDir);
  const { blobs, faults } = await store.check();
  expect(faults).toEqual([]);
  const files = [...(await readdir(layout.blobs("sha256"))), ...(await readdir(layout.blobs("sha512")))];
  expect(files).toHaveLength(blobs);
  expect(await readdir(layout.ingest)).toHaveLength((await store.usage()).uploads);
}
