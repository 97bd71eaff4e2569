import fc from "fast-check";
import type { ContentKind } from "../../src/oci/descriptor.ts";
import { DescryError } from "../../src/oci/errors.ts";
import { type Store, type TagWrite, UNREFERENCED_GRACE_MS } from "../../src/store/store.ts";
import { bytesOf } from "../support/bytes.ts";
import { blobOf, type Content, imageOf, incoming, indexOf, push } from "../suite/store-actions.ts";

/** A call of a store as data, so that it can be drawn at random, sent to another process, and done again by a model. */
export type Command =
  | { readonly call: "push"; readonly repository: string; readonly content: number; readonly tag?: TagWrite }
  | { readonly call: "push wrong"; readonly repository: string; readonly content: number }
  | { readonly call: "park"; readonly repository: string; readonly content: number; readonly percent: number }
  | { readonly call: "go on"; readonly repository: string; readonly content: number }
  | { readonly call: "discard"; readonly repository: string; readonly content: number }
  | { readonly call: "mount"; readonly repository: string; readonly from: string; readonly content: number }
  | { readonly call: "hold"; readonly repository: string; readonly content: number; readonly until: number }
  | { readonly call: "set tag"; readonly repository: string; readonly content: number; readonly tag: TagWrite }
  | { readonly call: "remove tag"; readonly repository: string; readonly tag: TagWrite }
  | { readonly call: "remove"; readonly repository: string; readonly content: number; readonly kind: ContentKind }
  | { readonly call: "collect" }
  | { readonly call: "recover" };

const [nothing, small, large] = [blobOf(""), blobOf("small"), blobOf(bytesOf(300_000, 30), "sha512")];
const config = blobOf('{"os":"linux"}');
const image = imageOf({ name: "image" }, config, small);
const largeImage = imageOf({ name: "large image", subject: image }, config, large, nothing);
const about = indexOf({ name: "about", subject: image, artifactType: "application/vnd.example" });

/** All content there is in these tests. Commands name it by its place. */
export const contents: readonly Content[] = [
  nothing,
  small,
  large,
  config,
  image,
  largeImage,
  about,
  indexOf({ name: "index" }, image, largeImage),
];
const tagNames = ["t", "u"] as const;

export function contentAt(place: number): Content {
  const content = contents[place];
  if (content === undefined) throw new Error(`there is no content ${place}`);
  return content;
}

/** What a command answers: its result, or the reason of its refusal. */
export async function perform(store: Store, command: Command): Promise<unknown> {
  try {
    return await call(store, command);
  } catch (error) {
    if (error instanceof DescryError) return error.reason ?? error.code;
    throw error;
  }
}

async function call(store: Store, command: Command): Promise<unknown> {
  switch (command.call) {
    case "push":
      return await push(store, command.repository, contentAt(command.content), command.tag);
    case "push wrong": {
      const content = contentAt(command.content);
      return await push(store, command.repository, { ...content, bytes: content.bytes.map((byte) => ~byte) });
    }
    case "park": {
      const content = contentAt(command.content);
      const upload = await store.upload(incoming(command.repository, content), 0);
      await upload.write(content.bytes.subarray(0, Math.floor((content.bytes.byteLength * command.percent) / 100)));
      return await upload.park();
    }
    case "go on": {
      const content = contentAt(command.content);
      const offset = await store.resumable(incoming(command.repository, content));
      const upload = await store.upload(incoming(command.repository, content), offset);
      await upload.write(content.bytes.subarray(offset));
      return await upload.commit(content.identity);
    }
    case "discard": {
      const upload = await store.upload(incoming(command.repository, contentAt(command.content)), 0);
      return await upload.discard();
    }
    case "mount":
      return await store.mount(command.repository, command.from, contentAt(command.content).digest);
    case "hold":
      return await store.hold(command.repository, [contentAt(command.content).digest], command.until);
    case "set tag":
      return await store.setTag(command.repository, command.tag, contentAt(command.content).digest);
    case "remove tag":
      return await store.removeTag(command.repository, command.tag, false);
    case "remove":
      return await store.remove(command.repository, contentAt(command.content).digest, command.kind, false);
    case "collect":
      return await store.collect();
    case "recover":
      return await store.recover();
  }
}

/** Any command over these repositories; holds end within three times the grace from `now`. */
export function commands(repositories: readonly string[], now: number): fc.Arbitrary<Command> {
  const repository = fc.constantFrom(...repositories);
  const content = fc.nat(contents.length - 1);
  const digest = fc.constantFrom(...contents.map((each) => each.digest));
  const condition = fc.oneof(
    fc.constant({}),
    fc.constant({ condition: "absent" as const }),
    digest.map((of) => ({ condition: { digest: of } })),
  );
  const tag = fc.tuple(fc.constantFrom(...tagNames), condition).map(([name, rest]): TagWrite => ({ name, ...rest }));
  const kind = fc.constantFrom<ContentKind>("manifest", "blob");
  const until = fc.nat(3 * UNREFERENCED_GRACE_MS).map((later) => now + later);
  const manifest = content.filter((place) => contentAt(place).identity.kind === "manifest");
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ call: fc.constant("push"), repository, content }) },
    { weight: 3, arbitrary: fc.record({ call: fc.constant("push"), repository, content: manifest, tag }) },
    { weight: 1, arbitrary: fc.record({ call: fc.constant("push wrong"), repository, content }) },
    { weight: 2, arbitrary: fc.record({ call: fc.constant("park"), repository, content, percent: fc.nat(100) }) },
    { weight: 2, arbitrary: fc.record({ call: fc.constant("go on"), repository, content }) },
    { weight: 1, arbitrary: fc.record({ call: fc.constant("discard"), repository, content }) },
    { weight: 1, arbitrary: fc.record({ call: fc.constant("mount"), repository, from: repository, content }) },
    { weight: 1, arbitrary: fc.record({ call: fc.constant("hold"), repository, content, until }) },
    { weight: 2, arbitrary: fc.record({ call: fc.constant("set tag"), repository, content, tag }) },
    { weight: 1, arbitrary: fc.record({ call: fc.constant("remove tag"), repository, tag }) },
    { weight: 3, arbitrary: fc.record({ call: fc.constant("remove"), repository, content, kind }) },
    { weight: 2, arbitrary: fc.constant<Command>({ call: "collect" }) },
    { weight: 1, arbitrary: fc.constant<Command>({ call: "recover" }) },
  );
}
