import { readdir } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { openStore } from "../../src/store/disk/index.ts";
import { createLayout } from "../../src/store/disk/layout.ts";
import { type Command, commands } from "./commands.ts";
import { expectNothingLeft, type Log, settle } from "./endings.ts";
import { makeScratch } from "./scratch.ts";
import { KILLED, startWorker } from "./worker-process.ts";

/** CI does 200. */
const ROUNDS = Number(process.env["DESCRY_CRASH_ROUNDS"] ?? 20);
/** Rounds on one data directory. */
const BATCH = 20;
const NOW = 1_700_000_000_000;
const clock = { now: NOW };
/** Each lane has a repository of its own and works at the same time as the others, on the same content. */
const LANES = ["lane/0", "lane/1", "lane/2"];
const LONGEST_LIFE_MS = 60;
const ROUND_TIMEOUT_MS = 10_000;

/** What a lane was told, and what it was at when it was killed. */
interface Lane {
  readonly repository: string;
  log: Log;
  pending: Command | undefined;
}

const batches = Array.from({ length: Math.ceil(ROUNDS / BATCH) }, (_, i) => ({
  rounds: Math.min(BATCH, ROUNDS - i * BATCH),
  seed: (Number(process.env["DESCRY_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31)) + i * BATCH) | 0,
}));

it.each(batches)(
  "kill -9 at $rounds random points: what was answered is there and intact, nothing else, nothing is left (seed $seed)",
  { timeout: BATCH * ROUND_TIMEOUT_MS },
  async ({ rounds, seed }) => {
    const scratch = await makeScratch();
    onTestFinished(scratch.remove);
    const lanes = LANES.map((repository): Lane => ({ repository, log: [], pending: undefined }));
    let cut = 0;
    for (let round = 0; round < rounds; round += 1) {
      await liveAndDie(scratch.path, lanes, seed + round);
      cut += lanes.filter(({ pending }) => pending !== undefined).length;
      const store = await openStore(scratch.path, { clock: () => NOW });
      await store.recover();
      for (const lane of lanes) {
        const { repository, log, pending } = lane;
        const where = `round ${round}, ${repository}`;
        lane.log = await settle({ store, repositories: [repository], log, pending, clock, where });
        lane.pending = undefined;
      }
      await expectNothingLeft(store, scratch.path);
      // This process has written nothing yet, so nobody that lives holds a lock.
      expect(await readdir(createLayout(scratch.path).locks)).toEqual([]);
      await store.close();
    }
    // Otherwise nothing was under way when the process died, and the test says nothing.
    expect(cut).toBeGreaterThan(0);
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
      lane.log = [...lane.log, { at: NOW, command }];
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
