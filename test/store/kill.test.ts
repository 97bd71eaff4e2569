import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { openStore } from "../../src/store/disk/index.ts";
import { createLayout } from "../../src/store/disk/layout.ts";
import type { Store } from "../../src/store/store.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { type Command, commands, perform } from "./commands.ts";
import { makeScratch } from "./scratch.ts";
import { viewOf } from "./view.ts";
import { KILLED, startWorker } from "./worker-process.ts";

/** CI does 200. */
const ROUNDS = Number(process.env["DESCRY_CRASH_ROUNDS"] ?? 20);
const NOW = 1_700_000_000_000;
/** Each lane has a repository of its own and works at the same time as the others, on the same content. */
const LANES = ["lane/0", "lane/1", "lane/2"];
const LONGEST_LIFE_MS = 60;
const ROUND_TIMEOUT_MS = 10_000;

/** What a lane was told, and what it was at when it was killed. */
interface Lane {
  readonly repository: string;
  readonly done: Command[];
  pending: Command | undefined;
}

it(
  `kill -9 at ${ROUNDS} random points: what was answered is there and intact, nothing else is, nothing is left`,
  { timeout: ROUNDS * ROUND_TIMEOUT_MS },
  async () => {
    const seed = Number(process.env["DESCRY_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    const scratch = await makeScratch();
    const lanes = LANES.map((repository): Lane => ({ repository, done: [], pending: undefined }));
    let cut = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      await liveAndDie(scratch.path, lanes, seed + round);
      cut += lanes.filter(({ pending }) => pending !== undefined).length;
      const store = await openStore(scratch.path, { clock: () => NOW });
      await store.recover();
      for (const lane of lanes) await settle(store, lane, `seed ${seed}, round ${round}, ${lane.repository}`);
      await expectNothingLeft(store, scratch.path);
      await store.close();
    }
    await scratch.remove();
    // Otherwise nothing was under way when the process died, and the test says nothing.
    expect(cut, `seed ${seed}`).toBeGreaterThan(0);
  },
);

/** A process works in all lanes and collects and recovers beside them, until it is killed. */
async function liveAndDie(dataDir: string, lanes: readonly Lane[], seed: number): Promise<void> {
  const worker = await startWorker(dataDir);
  const work = async (take: Iterable<Command>, each: (command: Command) => Promise<boolean>): Promise<void> => {
    for (const command of take) if (!(await each(command))) return;
  };
  const jobs = lanes.map(async (lane, i) => {
    const script = fc.sample(commands([lane.repository], NOW), { seed: seed * LANES.length + i, numRuns: 500 });
    await work(script, async (command) => {
      lane.pending = command;
      if ((await worker.perform(command, NOW)) === KILLED) return false;
      lane.pending = undefined;
      lane.done.push(command);
      return true;
    });
  });
  const upkeep = Array.from({ length: 500 }, (_, i): Command => ({ call: i % 2 === 0 ? "collect" : "recover" }));
  jobs.push(work(upkeep, async (command) => (await worker.perform(command, NOW)) !== KILLED));
  // No wait for anything: the point in time is what is random.
  const [life = 0] = fc.sample(fc.nat(LONGEST_LIFE_MS), { seed, numRuns: 1 });
  await pause(life);
  await worker.kill();
  await Promise.all(jobs);
}

/** The lane shows what a model does that was told the same: with what was under way, or without. */
async function settle(store: Store, lane: Lane, where: string): Promise<void> {
  const { repository, done, pending } = lane;
  const actual = await viewOf(store, repository);
  const endings: readonly (readonly Command[])[] =
    pending === undefined ? [[]] : [[], [pending], "content" in pending ? [{ ...pending, call: "discard" }] : []];
  const views = [];
  for (const ending of endings) {
    const model = createMemoryStore(() => NOW);
    for (const command of [...done, ...ending]) await perform(model, command);
    views.push(await viewOf(model, repository));
    if (!isSame(views.at(-1), actual)) continue;
    done.push(...ending);
    lane.pending = undefined;
    return;
  }
  expect(actual, `${where}: ${JSON.stringify(done)}, then ${JSON.stringify(pending)}`).toEqual(views[0]);
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Uploads are the parked ones, files are those of the database, and all bytes are good. */
async function expectNothingLeft(store: Store, dataDir: string): Promise<void> {
  const layout = createLayout(dataDir);
  const { blobs, faults } = await store.check();
  expect(faults).toEqual([]);
  const files = [...(await readdir(layout.blobs("sha256"))), ...(await readdir(layout.blobs("sha512")))];
  expect(files).toHaveLength(blobs);
  expect(await readdir(layout.ingest)).toHaveLength((await store.usage()).uploads);
  // This process has written nothing yet, so nobody that lives holds a lock.
  expect(await readdir(layout.locks)).toEqual([]);
  expect(await readdir(join(dataDir))).not.toContain("quarantine");
}
