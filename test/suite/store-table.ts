import { expect, it } from "vitest";
import { DescryError } from "../../src/oci/errors.ts";
import type { Removal, Store, Stored } from "../../src/store/store.ts";
import { type Content, incoming, indexOf, ME, push, pushSome, readAll } from "./store-actions.ts";
import type { Rig } from "./store.ts";

/**
 * What each call answers in each state of one piece of content in one repository. The states:
 * nothing; parked (4 bytes came from "me"); blob; manifest; tagged (a manifest with the tag t); elsewhere (a blob of
 * another repository); taken (t is at another manifest, this one is not there); removed (was tagged); corrupt (a blob
 * whose bytes a check found bad).
 * The answers: "-" nothing or no; otherwise what is found, "this" and "other" being manifests; or the error's reason.
 */
const table = `
                      | nothing         | parked          | blob            | manifest     | tagged    | elsewhere       | taken           | removed         | corrupt
find                  | -               | -               | blob            | manifest     | manifest  | -               | -               | -               | corrupt blob
find a blob           | -               | -               | blob            | -            | -         | -               | -               | -               | corrupt blob
find a manifest       | -               | -               | -               | manifest     | manifest  | -               | -               | -               | -
find tag              | -               | -               | -               | -            | this      | -               | other           | -               | -
has repository        | -               | -               | yes             | yes          | yes       | -               | yes             | yes             | yes
read                  | -               | -               | bytes           | bytes        | bytes     | -               | -               | -               | STORE_CORRUPT
resumable             | 0               | 4               | 0               | 0            | 0         | 0               | 0               | 0               | 0
resumable by another  | 0               | 0               | 0               | 0            | 0         | 0               | 0               | 0               | 0
go on at 4            | OFFSET_MISMATCH | blob            | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH
go on at 5            | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH
another goes on at 4  | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH | OFFSET_MISMATCH
push                  | manifest        | manifest        | manifest        | manifest     | manifest  | manifest        | manifest        | manifest        | manifest
push a blob           | blob            | blob            | blob            | manifest     | manifest  | blob            | blob            | blob            | blob
push t                | -               | -               | -               | -            | this      | -               | other           | -               | -
push t if absent      | -               | -               | -               | -            | this      | -               | TAG_CHANGED     | -               | -
push t if at this     | TAG_CHANGED     | TAG_CHANGED     | TAG_CHANGED     | TAG_CHANGED  | this      | TAG_CHANGED     | TAG_CHANGED     | TAG_CHANGED     | TAG_CHANGED
push t if at other    | TAG_CHANGED     | TAG_CHANGED     | TAG_CHANGED     | TAG_CHANGED  | this      | TAG_CHANGED     | other           | TAG_CHANGED     | TAG_CHANGED
set t                 | CONTENT_UNKNOWN | CONTENT_UNKNOWN | CONTENT_UNKNOWN | -            | this      | CONTENT_UNKNOWN | CONTENT_UNKNOWN | CONTENT_UNKNOWN | CONTENT_UNKNOWN
set t if absent       | CONTENT_UNKNOWN | CONTENT_UNKNOWN | CONTENT_UNKNOWN | -            | this      | CONTENT_UNKNOWN | CONTENT_UNKNOWN | CONTENT_UNKNOWN | CONTENT_UNKNOWN
set t if at other     | CONTENT_UNKNOWN | CONTENT_UNKNOWN | CONTENT_UNKNOWN | TAG_CHANGED  | this      | CONTENT_UNKNOWN | CONTENT_UNKNOWN | CONTENT_UNKNOWN | CONTENT_UNKNOWN
mount from elsewhere  | -               | -               | -               | -            | -         | yes             | -               | -               | -
mount to elsewhere    | -               | -               | yes             | -            | -         | -               | -               | -               | -
remove tag            | -               | -               | -               | -            | this      | -               | other           | -               | -
remove tag if at this | -               | -               | -               | -            | this      | -               | TAG_CHANGED     | -               | -
remove manifest       | -               | -               | -               | this         | this, t   | -               | -               | -               | -
remove blob           | -               | -               | this            | -            | -         | -               | -               | -               | this
`;

/** Where one cell of the table plays: its own repositories and content. */
interface Stage {
  readonly store: Store;
  readonly rig: Rig;
  readonly here: string;
  readonly elsewhere: string;
  readonly it: Content;
  readonly other: Content;
}

function asBlob(content: Content): Content {
  return { ...content, identity: { kind: "blob", mediaType: "" } };
}

const states: Readonly<Record<string, (stage: Stage) => Promise<unknown>>> = {
  nothing: async () => undefined,
  parked: ({ store, here, it }) => pushSome(store, here, it, 4),
  blob: ({ store, here, it }) => push(store, here, asBlob(it)),
  manifest: ({ store, here, it }) => push(store, here, it),
  tagged: ({ store, here, it }) => push(store, here, it, { name: "t" }),
  elsewhere: ({ store, elsewhere, it }) => push(store, elsewhere, asBlob(it)),
  taken: ({ store, here, other }) => push(store, here, other, { name: "t" }),
  removed: async ({ store, here, it }) => {
    await push(store, here, it, { name: "t" });
    await store.remove(here, it.digest, "manifest", false);
  },
  corrupt: async ({ store, rig, here, it }) => {
    await push(store, here, asBlob(it));
    await rig.damage(it.digest, "flipped");
    await store.check();
  },
};

const calls: Readonly<Record<string, (stage: Stage) => Promise<string>>> = {
  find: async ({ store, here, it }) => kind(await store.find(here, it.digest)),
  "find a blob": async ({ store, here, it }) => kind(await store.find(here, it.digest, "blob")),
  "find a manifest": async ({ store, here, it }) => kind(await store.find(here, it.digest, "manifest")),
  "find tag": async (stage) => who(stage, (await stage.store.findTag(stage.here, "t"))?.digest),
  "has repository": async ({ store, here }) => yes(await store.hasRepository(here)),
  read: async ({ store, here, it }) => {
    if ((await store.find(here, it.digest)) === undefined) return "-";
    return (await readAll(store, here, it.digest)).equals(it.bytes) ? "bytes" : "other bytes";
  },
  resumable: async ({ store, here, it }) => String(await store.resumable(incoming(here, it))),
  "resumable by another": async ({ store, here, it }) => String(await store.resumable(incoming(here, it, "another"))),
  "go on at 4": (stage) => goOn(stage, 4, ME),
  "go on at 5": (stage) => goOn(stage, 5, ME),
  "another goes on at 4": (stage) => goOn(stage, 4, "another"),
  push: async ({ store, here, it }) => {
    await push(store, here, it);
    return kind(await store.find(here, it.digest));
  },
  "push a blob": async ({ store, here, it }) => {
    await push(store, here, asBlob(it));
    return kind(await store.find(here, it.digest));
  },
  "push t": (stage) => pushTag(stage),
  "push t if absent": (stage) => pushTag(stage, "absent"),
  "push t if at this": (stage) => pushTag(stage, stage.it),
  "push t if at other": (stage) => pushTag(stage, stage.other),
  "set t": (stage) => setTag(stage),
  "set t if absent": (stage) => setTag(stage, "absent"),
  "set t if at other": (stage) => setTag(stage, stage.other),
  "mount from elsewhere": async ({ store, here, elsewhere, it }) => yes(await store.mount(here, elsewhere, it.digest)),
  "mount to elsewhere": async ({ store, here, elsewhere, it }) => yes(await store.mount(elsewhere, here, it.digest)),
  "remove tag": async (stage) => gone(stage, await stage.store.removeTag(stage.here, { name: "t" }, false)),
  "remove tag if at this": async (stage) => {
    const tag = { name: "t", condition: { digest: stage.it.digest } };
    return gone(stage, await stage.store.removeTag(stage.here, tag, false));
  },
  "remove manifest": async (stage) =>
    gone(stage, await stage.store.remove(stage.here, stage.it.digest, "manifest", false)),
  "remove blob": async (stage) => gone(stage, await stage.store.remove(stage.here, stage.it.digest, "blob", false)),
};

async function goOn({ store, here, it }: Stage, offset: number, owner: string): Promise<string> {
  const upload = await store.upload(incoming(here, it, owner), offset);
  await upload.write(it.bytes.subarray(offset));
  await upload.commit({ kind: "blob", mediaType: "" });
  return kind(await store.find(here, it.digest));
}

/** What t was at before. */
async function pushTag(stage: Stage, condition?: "absent" | Content): Promise<string> {
  const { store, here, it } = stage;
  const before = kind(await store.find(here, it.digest, "manifest"));
  try {
    const change = await push(store, here, it, tagIf(condition));
    expect((await store.findTag(here, "t"))?.digest).toBe(it.digest);
    return who(stage, change?.previous);
  } catch (error) {
    // Neither the tag nor the content.
    expect(kind(await store.find(here, it.digest, "manifest"))).toBe(before);
    throw error;
  }
}

async function setTag(stage: Stage, condition?: "absent" | Content): Promise<string> {
  const { store, here, it } = stage;
  const { previous } = await store.setTag(here, tagIf(condition), it.digest);
  expect((await store.findTag(here, "t"))?.digest).toBe(it.digest);
  return who(stage, previous);
}

function tagIf(condition?: "absent" | Content) {
  if (condition === undefined) return { name: "t" };
  return { name: "t", condition: condition === "absent" ? condition : { digest: condition.digest } };
}

const kind = (stored: Stored | undefined): string =>
  stored === undefined ? "-" : `${stored.corrupt ? "corrupt " : ""}${stored.kind}`;
const yes = (answer: boolean): string => (answer ? "yes" : "-");
const who = ({ it, other }: Stage, digest: string | undefined): string =>
  digest === undefined ? "-" : digest === it.digest ? "this" : digest === other.digest ? "other" : digest;
const gone = (stage: Stage, removal: Removal | undefined): string =>
  [who(stage, removal?.digest), ...(removal?.tags ?? [])].join(", ");

/** Every cell of the table. */
export function tableTests(rig: () => Rig): void {
  const [head = [], ...rows] = table
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split("|").map((cell) => cell.trim()));
  const names = head.slice(1);
  const cells = rows.flatMap(([call = "", ...answers]) =>
    answers.map((answer, i) => ({ call, state: names[i] ?? "", answer })),
  );
  it("has a row for every call and a column for every state", () => {
    expect(rows.map(([call]) => call)).toEqual(Object.keys(calls));
    expect(names).toEqual(Object.keys(states));
    expect(cells).toHaveLength(rows.length * names.length);
  });
  it.each(cells)("$state: $call: $answer", async ({ call, state, answer }) => {
    const here = `table/${state}/${call}`.replaceAll(" ", "-");
    const [it, other] = [indexOf({ name: here }), indexOf({ name: `${here} other` })];
    const stage: Stage = { store: rig().store, rig: rig(), here, elsewhere: `${here}/elsewhere`, it, other };
    await states[state]?.(stage);
    expect(await calls[call]?.(stage).catch(reason)).toBe(answer);
  });
}

function reason(error: unknown): string {
  if (error instanceof DescryError) return error.reason ?? error.code;
  throw error;
}
