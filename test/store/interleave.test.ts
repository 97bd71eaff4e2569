import { readdir } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { openStore } from "../../src/store/disk/index.ts";
import { createLayout } from "../../src/store/disk/layout.ts";
import { type Store, UNREFERENCED_GRACE_MS } from "../../src/store/store.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { indexOf, push } from "../suite/store-actions.ts";
import { type Command, commands, contentAt, contents, perform } from "./commands.ts";
import { makeScratch } from "./scratch.ts";
import { viewOf } from "./view.ts";
import { startWorker, type Worker } from "./worker-process.ts";

/** Two processes on one data directory, told what to do by turns, compared with the model after each command. */
const START = 1_700_000_000_000;
const REPOSITORIES = ["one", "two/of-them"];
const RUNS = 12;
const STEPS = 40;
/** A command takes about this long, where an fsync costs nothing. */
const LATEST_KILL_MS = 6;

/** A command for a process: done, or cut short by a kill; or a pause. */
type Step =
  | { readonly step: "do"; readonly worker: number; readonly command: Command }
  | { readonly step: "kill during"; readonly worker: number; readonly command: Command; readonly after: number }
  | { readonly step: "wait"; readonly milliseconds: number };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({
        step: fc.constant("do" as const),
        worker: fc.nat(1),
        command: commands(REPOSITORIES, START),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        step: fc.constant("kill during" as const),
        worker: fc.nat(1),
        command: commands(REPOSITORIES, START),
        after: fc.nat(LATEST_KILL_MS),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        step: fc.constant("wait" as const),
        milliseconds: fc.constantFrom(1, UNREFERENCED_GRACE_MS / 2, UNREFERENCED_GRACE_MS),
      }),
    },
  ),
  { minLength: STEPS / 2, maxLength: STEPS },
);

/** What was done, and when. */
type Log = readonly { readonly at: number; readonly command: Command }[];

interface Stage {
  readonly dataDir: string;
  /** A third process on the directory: this one. It only looks, and recovers after a kill. */
  readonly observer: Store;
  readonly workers: [Worker, Worker];
  readonly clock: { now: number };
}

async function onStage(play: (stage: Stage) => Promise<void>): Promise<void> {
  const scratch = await makeScratch();
  const clock = { now: START };
  // At the same time: opening an empty directory is one of the things that processes do.
  const [observer, ...workers] = await Promise.all([
    openStore(scratch.path, { clock: () => clock.now }),
    startWorker(scratch.path),
    startWorker(scratch.path),
  ]);
  try {
    await play({ dataDir: scratch.path, observer, workers, clock });
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
    await observer.close();
    await scratch.remove();
  }
}

/** A model that was told the same. */
async function modelOf(log: Log, clock: { readonly now: number }): Promise<Store> {
  let replayed: number | undefined;
  const model = createMemoryStore(() => replayed ?? clock.now);
  for (const { at, command } of log) {
    replayed = at;
    await perform(model, command);
  }
  replayed = undefined;
  return model;
}

async function viewsOf(store: Store): Promise<unknown> {
  return await Promise.all(REPOSITORIES.map((repository) => viewOf(store, repository)));
}

/**
 * Which of the possible endings of a command that was cut short the store took: none, all of it, or only what was kept
 * of an earlier upload is gone. What a collection had not got to is collected first.
 */
async function settle(log: Log, command: Command, { observer, clock }: Stage): Promise<Log> {
  await observer.collect();
  const actual = await viewsOf(observer);
  const endings: readonly Command[][] = [[command], [], "content" in command ? [{ ...command, call: "discard" }] : []];
  const logs = endings.map((ending) => {
    const all: Command[] = [...ending, { call: "collect" }];
    return [...log, ...all.map((each) => ({ at: clock.now, command: each }))];
  });
  const views = await Promise.all(logs.map(async (each) => await viewsOf(await modelOf(each, clock))));
  expect(views, `${JSON.stringify(log)}, then a kill during ${JSON.stringify(command)}`).toContainEqual(actual);
  return logs[views.findIndex((view) => JSON.stringify(view) === JSON.stringify(actual))] ?? log;
}

it("answers as the model does, over two processes that die and come back", { timeout: 120_000 }, async () => {
  const property = fc.asyncProperty(steps, (script) =>
    onStage(async (stage) => {
      const { dataDir, observer, workers, clock } = stage;
      let log: Log = [];
      let model = await modelOf(log, clock);
      for (const step of script) {
        if (step.step === "wait") {
          clock.now += step.milliseconds;
          continue;
        }
        const { command, worker } = step;
        if (step.step === "do") {
          const answer = await workers[worker]?.perform(command, clock.now);
          expect(answer, JSON.stringify([log, command])).toEqual(await perform(model, command));
          log = [...log, { at: clock.now, command }];
        } else {
          const answer = workers[worker]?.perform(command, clock.now);
          // No wait for anything: the point in time is what is random.
          await pause(step.after);
          await workers[worker]?.kill();
          await answer;
          await observer.recover();
          log = await settle(log, command, stage);
          model = await modelOf(log, clock);
          workers[worker] = await startWorker(dataDir);
        }
        expect(await viewsOf(observer), JSON.stringify(log)).toEqual(await viewsOf(model));
        expect(await observer.usage(), JSON.stringify(log)).toEqual(await model.usage());
      }
      expect((await observer.check()).faults).toEqual([]);
      expect(await readdir(createLayout(dataDir).ingest)).toHaveLength((await observer.usage()).uploads);
    }),
  );
  // A failure names its seed and prints its commands; shrinking would start hundreds of processes.
  await fc.assert(property, { numRuns: RUNS, endOnFailure: true });
});

it("keeps its promises while two processes do everything at once", { timeout: 60_000 }, async () => {
  const script = fc.array(commands(REPOSITORIES, START), { minLength: 150, maxLength: 150 });
  const property = fc.asyncProperty(script, (all) =>
    onStage(async ({ dataDir, observer, workers, clock }) => {
      // What nobody removes must be there afterwards.
      const kept = Array.from({ length: 10 }, (_, i) => indexOf({ name: `kept ${i}` }));
      const [first, second] = workers;
      await Promise.all([
        ...all.map((command, i) => (i % 2 === 0 ? first : second).perform(command, clock.now)),
        ...kept.map((content, i) => push(observer, "kept", content, { name: `t${i}` })),
      ]);
      for (const [i, { digest }] of kept.entries())
        expect((await observer.findTag("kept", `t${i}`))?.digest).toBe(digest);
      // Reads and hashes all that is visible.
      for (const repository of REPOSITORIES) {
        await viewOf(observer, repository);
        for (const { digest } of await observer.listTags(repository, {
          after: "",
          limit: 9,
          prefix: "",
          omitDigestTags: false,
        }))
          expect(await observer.find(repository, digest, "manifest")).toBeDefined();
      }
      await observer.collect();
      const { blobs, faults } = await observer.check();
      expect(faults).toEqual([]);
      const layout = createLayout(dataDir);
      expect([...(await readdir(layout.blobs("sha256"))), ...(await readdir(layout.blobs("sha512")))]).toHaveLength(
        blobs,
      );
      expect(await readdir(layout.ingest)).toHaveLength((await observer.usage()).uploads);
    }),
  );
  await fc.assert(property, { numRuns: 5, endOnFailure: true });
});

it("orders the writes of two processes to one tag", { timeout: 30_000 }, () =>
  onStage(async ({ observer, workers, clock }) => {
    const places = contents.flatMap(({ identity }, place) => (identity.kind === "manifest" ? [place] : []));
    for (const place of contents.keys())
      await workers[0].perform({ call: "push", repository: "tag", content: place }, START);
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => {
        const content = places[i % places.length] ?? 0;
        const command: Command = { call: "set tag", repository: "tag", content, tag: { name: "t" } };
        return workers[i % 2 === 0 ? 0 : 1].perform(command, clock.now).then((change) => ({ content, change }));
      }),
    );
    // Every write says what it replaced: together they are one chain, so each digest was replaced as often as it was
    // set, but for the last.
    const count = new Map<string, number>();
    for (const { content, change } of answers) {
      const { digest } = contentAt(content);
      const previous =
        typeof change === "object" && change !== null && "previous" in change ? String(change.previous) : "";
      count.set(digest, (count.get(digest) ?? 0) + 1);
      count.set(previous, (count.get(previous) ?? 0) - 1);
    }
    const last = (await observer.findTag("tag", "t"))?.digest ?? "";
    expect(Object.fromEntries([...count].filter(([, times]) => times !== 0))).toEqual({ "": -1, [last]: 1 });
  }),
);
