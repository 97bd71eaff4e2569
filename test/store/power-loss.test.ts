import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openStore } from "../../src/store/disk/index.ts";
import { type Command, contentAt, perform } from "./commands.ts";
import { expectNothingLeft, type Log, modelOf, settle, viewsOf } from "./endings.ts";
import { createRecorder, materialise, type Recorder, type Survival, survivals } from "./recording.ts";
import { makeScratch } from "./scratch.ts";

const REPOSITORIES = ["one", "two"];
const [one = "", two = ""] = REPOSITORIES;

/** Each kind of write, with what came before that makes it interesting. By place: see commands.ts. */
const script: readonly Command[] = [
  { call: "push", repository: one, content: 0 },
  { call: "push", repository: one, content: 1 },
  { call: "push", repository: one, content: 3 },
  { call: "push", repository: one, content: 4, tag: { name: "t", condition: "absent" } },
  { call: "push wrong", repository: one, content: 2 },
  { call: "park", repository: one, content: 2, percent: 40 },
  { call: "go on", repository: one, content: 2 },
  { call: "mount", repository: two, from: one, content: 3 },
  { call: "push", repository: two, content: 1 },
  { call: "push", repository: two, content: 4, tag: { name: "t" } },
  { call: "push", repository: one, content: 5, tag: { name: "t", condition: { digest: contentAt(4).digest } } },
  { call: "push", repository: one, content: 5, tag: { name: "t", condition: "absent" } },
  { call: "set tag", repository: one, content: 4, tag: { name: "u" } },
  { call: "remove tag", repository: one, tag: { name: "u" } },
  { call: "park", repository: two, content: 2, percent: 70 },
  { call: "push", repository: two, content: 7 },
  { call: "remove", repository: one, content: 5, kind: "manifest" },
  { call: "remove", repository: one, content: 2, kind: "blob" },
  { call: "collect" },
  { call: "push", repository: one, content: 2 },
  { call: "push", repository: one, content: 5 },
  { call: "remove", repository: two, content: 4, kind: "manifest" },
  { call: "park", repository: one, content: 2, percent: 10 },
  { call: "discard", repository: one, content: 2 },
];

const clock = { now: 1_700_000_000_000 };

async function record(recorder: Recorder, dataDir: string): Promise<Log> {
  const { fileSystem } = recorder;
  const store = await openStore(dataDir, { fileSystem, clock: () => clock.now, onCommit: () => recorder.committed() });
  recorder.committed();
  const log = [];
  for (const [i, command] of script.entries()) {
    await perform(store, command);
    recorder.answered(i + 1);
    log.push({ at: clock.now, command });
  }
  await store.close();
  return log;
}

it.each<[Survival]>(survivals.map((survival) => [survival]))(
  "power loss after each call, when of what was not synced %s survives",
  { timeout: 60_000 },
  async (survival) => {
    const scratch = await makeScratch();
    onTestFinished(scratch.remove);
    const copies = join(scratch.path, "copies");
    await mkdir(copies);
    const recorded = join(scratch.path, "recorded");
    const recorder = createRecorder(recorded, copies);
    const log = await record(recorder, recorded);
    expect(recorder.events.length).toBeGreaterThan(2 * script.length);

    for (let count = 0; count <= recorder.events.length; count += 1) {
      const dataDir = join(scratch.path, `after-${count}`);
      const answered = materialise(recorder.events, count, survival, dataDir);
      const store = await openStore(dataDir, { clock: () => clock.now });
      await store.recover();
      const where = `after ${count} events, ${JSON.stringify(recorder.events.slice(Math.max(0, count - 3), count))}`;
      const done = await settle({
        store,
        repositories: REPOSITORIES,
        log: log.slice(0, answered),
        pending: script[answered],
        clock,
        where,
      });
      await expectNothingLeft(store, dataDir);
      // What is said to be kept of an upload is kept, and everything can go on.
      const model = await modelOf(done, clock);
      for (const repository of REPOSITORIES)
        for (const content of [0, 1, 2, 3, 4, 5]) {
          const command: Command = { call: "go on", repository, content };
          expect(await perform(store, command), where).toEqual(await perform(model, command));
        }
      expect(await viewsOf(store, REPOSITORIES), where).toEqual(await viewsOf(model, REPOSITORIES));
      await store.close();
      await rm(dataDir, { recursive: true });
    }
  },
);

it("loses what was not synced, in its own simulation", async () => {
  const scratch = await makeScratch();
  onTestFinished(scratch.remove);
  const recorder = createRecorder(join(scratch.path, "recorded"), scratch.path);
  const { fileSystem, events } = recorder;
  await fileSystem.makeDirectory(join(scratch.path, "recorded"));
  const file = await fileSystem.create(join(scratch.path, "recorded", "a"));
  await file.write(new Uint8Array([1, 2]));
  await file.sync();
  await file.write(new Uint8Array([3]));
  await fileSystem.rename(join(scratch.path, "recorded", "a"), join(scratch.path, "recorded", "b"));
  const left = async (survival: Survival, count = events.length) => {
    const dataDir = join(scratch.path, `${survival}-${count}`);
    materialise(events, count, survival, dataDir);
    return await Promise.all(
      (await readdir(dataDir)).map(async (name) => [name, ...(await readFile(join(dataDir, name)))]),
    );
  };
  expect(await left("nothing")).toEqual([]);
  expect(await left("data")).toEqual([]);
  expect(await left("names")).toEqual([["b", 1, 2, 0]]);
  expect(await left("everything")).toEqual([["b", 1, 2, 3]]);
  await fileSystem.syncDirectory(join(scratch.path, "recorded"));
  expect(await left("nothing")).toEqual([["b", 1, 2]]);
  expect(await left("data")).toEqual([["b", 1, 2, 3]]);
  await file.close();
});
