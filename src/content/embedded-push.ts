import type { ContentKind, Descriptor } from "../oci/descriptor.ts";
import { algorithmOf } from "../oci/digest.ts";
import { DescryError } from "../oci/errors.ts";
import { MAX_MANIFEST_BYTES, type Manifest, parseManifest } from "../oci/manifest.ts";
import { isManifest } from "../oci/media-type.ts";
import { verifyBytes } from "../oci/verifier.ts";
import {
  type Incoming,
  type Store,
  type Stored,
  type TagWrite,
  UNREFERENCED_GRACE_MS,
  type Upload,
} from "../store/store.ts";
import { createKeyedQueue } from "./queue.ts";
import type { Call, Presence, Pusher, PushTarget, Receipt } from "./registry.ts";

/** How long content that PreparePush found or mounted stays, at least: as long as content just pushed. */
const PREPARE_HOLD_MS: number = UNREFERENCED_GRACE_MS;

/** Takes content into descry.local. */
export function createEmbeddedPusher(store: Store, clock: () => number): Pusher {
  const queue = createKeyedQueue();
  return {
    prepare: async (repository, descriptors, mountFrom, { caller }) => {
      const { path } = repository;
      const sources = mountFrom.map((from) => from.path);
      const heldUntil = clock() + PREPARE_HOLD_MS;
      const digests = descriptors.map(({ digest }) => digest);
      // First held, then looked for: what is found cannot be collected in between. What is mounted has its own grace.
      await store.hold(path, digests, heldUntil);
      const states: Presence[] = [];
      for (const descriptor of descriptors) {
        const { digest, mediaType } = descriptor;
        if (await isThere(path, descriptor)) states.push({ digest, presence: "present" });
        else if (await mount(path, descriptor, sources)) states.push({ digest, presence: "mounted" });
        // A manifest is sent whole.
        else if (isManifest(mediaType)) states.push({ digest, presence: "missing", offset: 0 });
        else {
          const offset = await store.resumable(incomingOf(path, descriptor, caller.name));
          states.push({ digest, presence: "missing", offset });
        }
      }
      return { states, heldUntil };
    },
    push: (target, source, call) => {
      const { reference, descriptor } = target;
      // The queue also keeps a caller's second try from racing its first for the same interrupted upload.
      return queue.run(`${reference.path}@${descriptor.digest}`, call.signal, () => pushOne(target, source, call));
    },
  };

  async function isThere(repository: string, { digest, size, mediaType }: Descriptor): Promise<boolean> {
    const stored = await store.find(repository, digest, isManifest(mediaType) ? "manifest" : undefined);
    return stored !== undefined && !stored.corrupt && stored.size === size;
  }

  async function mount(repository: string, descriptor: Descriptor, from: readonly string[]): Promise<boolean> {
    if (isManifest(descriptor.mediaType)) return false;
    for (const source of from) {
      const found = await store.find(source, descriptor.digest, "blob");
      if (found?.size === descriptor.size && (await store.mount(repository, source, descriptor.digest))) return true;
    }
    return false;
  }

  async function pushOne(target: PushTarget, source: AsyncIterable<Uint8Array>, call: Call): Promise<Receipt> {
    const { reference, descriptor, kind } = target;
    // Before a byte is read.
    algorithmOf(descriptor.digest);
    const there = await store.find(reference.path, descriptor.digest, kind);
    if (there !== undefined && !there.corrupt && there.size !== descriptor.size)
      throw new DescryError("SIZE_MISMATCH", `${descriptor.digest} has ${there.size} bytes, not ${descriptor.size}`, {
        digest: descriptor.digest,
        metadata: { size: String(there.size) },
      });
    // A manifest pushed under another media type is another way to read it, and is written.
    if (there !== undefined && !there.corrupt && isSame(kind, there.mediaType, descriptor.mediaType))
      return await existed(target, there);
    return kind === "manifest" ? await pushManifest(target, source, call) : await pushBlob(target, source, call);
  }

  async function existed(target: PushTarget, there: Stored): Promise<Receipt> {
    const { reference } = target;
    const { digest, size, mediaType, subject } = there;
    const what = { reference, descriptor: { mediaType, digest, size }, ...(subject === undefined ? {} : { subject }) };
    const tag = tagOf(target);
    if (tag === undefined) return { ...what, outcome: "existed" };
    const { previous } = await store.setTag(reference.path, tag, digest);
    return {
      ...what,
      outcome: previous === digest ? "existed" : "created",
      ...(previous === undefined ? {} : { previous }),
      ...checkOf(target),
    };
  }

  async function pushManifest(target: PushTarget, source: AsyncIterable<Uint8Array>, call: Call): Promise<Receipt> {
    const { reference, descriptor, offset } = target;
    if (offset > 0)
      throw new DescryError("OFFSET_MISMATCH", `a manifest is sent whole, not from byte ${offset}`, {
        digest: descriptor.digest,
        metadata: { offset: "0" },
      });
    const bytes = await collect(source, descriptor);
    // Before its shape is judged: bytes that got broken on the way are no bad manifest.
    verifyBytes(bytes, descriptor, "invalid_argument");
    const manifest: Manifest = parseManifest(bytes, descriptor.mediaType);
    const upload = await store.upload(incomingOf(reference.path, descriptor, call.caller.name), 0);
    await takeAll(upload, bytes);
    const change = await upload.commit({ kind: "manifest", manifest }, tagOf(target));
    return {
      reference,
      descriptor,
      outcome: "created",
      ...(change?.previous === undefined ? {} : { previous: change.previous }),
      ...checkOf(target),
      ...(manifest.subject === undefined ? {} : { subject: manifest.subject.digest }),
    };
  }

  async function pushBlob(target: PushTarget, source: AsyncIterable<Uint8Array>, call: Call): Promise<Receipt> {
    const { reference, descriptor, offset } = target;
    const upload = await store.upload(incomingOf(reference.path, descriptor, call.caller.name), offset);
    await takeStream(upload, source, descriptor);
    await upload.commit({ kind: "blob", mediaType: descriptor.mediaType });
    return { reference, descriptor, outcome: "created" };
  }
}

/** Writes what comes. A source that fails or ends early is an interruption; what the store refuses is no use to keep. */
async function takeStream(
  upload: Upload,
  source: AsyncIterable<Uint8Array>,
  { digest, size }: Descriptor,
): Promise<void> {
  const iterator = source[Symbol.asyncIterator]();
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    try {
      return await iterator.next();
    } catch (error) {
      await upload.park();
      throw error;
    }
  };
  try {
    for (let step = await next(); step.done !== true; step = await next()) await takeAll(upload, step.value);
  } finally {
    await iterator.return?.();
  }
  if (upload.offset === size) return;
  const { offset } = upload;
  await upload.park();
  throw new DescryError("SIZE_MISMATCH", `${offset} of ${size} bytes came; go on from there`, {
    digest,
    metadata: { size: String(size), offset: String(offset) },
  });
}

async function takeAll(upload: Upload, chunk: Uint8Array): Promise<void> {
  try {
    await upload.write(chunk);
  } catch (error) {
    await upload.discard();
    throw error;
  }
}

/** A manifest's bytes in memory: at most MAX_MANIFEST_BYTES, and exactly what its descriptor says. */
async function collect(source: AsyncIterable<Uint8Array>, { digest, size }: Descriptor): Promise<Uint8Array> {
  if (size > MAX_MANIFEST_BYTES)
    throw new DescryError("CONTENT_TOO_LARGE", `a manifest has at most ${MAX_MANIFEST_BYTES} bytes, not ${size}`, {
      digest,
      metadata: { size: String(size), limit: String(MAX_MANIFEST_BYTES) },
    });
  const bytes = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of source) {
    if (filled + chunk.byteLength > size) throw wrongSize(`more than ${size}`);
    bytes.set(chunk, filled);
    filled += chunk.byteLength;
  }
  if (filled < size) throw wrongSize(`${filled} of ${size}`);
  return bytes;

  function wrongSize(came: string): DescryError {
    return new DescryError("SIZE_MISMATCH", `${came} bytes came for ${digest}`, {
      digest,
      metadata: { size: String(size) },
    });
  }
}

function incomingOf(repository: string, { digest, size }: Descriptor, owner: string): Incoming {
  return { repository, digest, size, owner };
}

function tagOf({ reference, condition }: PushTarget): TagWrite | undefined {
  if (reference.tag === undefined) return undefined;
  return condition === undefined ? { name: reference.tag } : { name: reference.tag, condition };
}

function checkOf({ condition }: PushTarget): Pick<Receipt, "check"> {
  return condition === undefined ? {} : { check: "atomic" };
}

function isSame(kind: ContentKind, stored: string, pushed: string): boolean {
  return kind === "blob" || stored === pushed;
}
