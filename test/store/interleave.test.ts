import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { openStore } from "../../src/store/disk/index.ts";
import { type Store, UNREFERENCED_GRACE_MS } from "../../src/store/store.ts";
import { indexOf, push } from "../suite/store-actions.ts";
import { type Command, commands, contentAt, contents, perform } from "./commands.ts";
import { expectNothingLeft, type Log, modelOf, settle, viewsOf } from "./endings.ts";
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

it("answers as the model does, over two processes that die and come back", { timeout: 120_000 }, async () => {
  const property = fc.asyncProperty(steps, (script) =>
    onStage(async ({ dataDir, observer, workers, clock }) => {
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
          log = await settle({
            store: observer,
            repositories: REPOSITORIES,
            log,
            pending: command,
            clock,
            where: "killed",
          });
          model = await modelOf(log, clock);
          workers[worker] = await startWorker(dataDir);
        }
        expect(await viewsOf(observer, REPOSITORIES), JSON.stringify(log)).toEqual(await viewsOf(model, REPOSITORIES));
        expect(await observer.usage(), JSON.stringify(log)).toEqual(await model.usage());
      }
      await observer.collect();
      await expectNothingLeft(observer, dataDir);
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
      await expectNothingLeft(observer, dataDir);
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
