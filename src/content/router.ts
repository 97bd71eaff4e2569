import type { ContentKind, Descriptor } from "../oci/descriptor.ts";
import { quote } from "../oci/digest.ts";
import { DescryError } from "../oci/errors.ts";
import { EMBEDDED_HOST, formatReference, type Reference, repositoryOf } from "../oci/reference.ts";
import type { Condition } from "../store/store.ts";
import { amend } from "./amend.ts";
import type { Caller, Verb } from "./caller.ts";
import type { Call, Fetched, Receipt, Registry } from "./registry.ts";

/** One piece of content to move from one repository to another. */
export interface CopyWanted {
  readonly source: Reference;
  readonly target: Reference;
  /** Content of the source repository. Undefined: what `source` names. */
  readonly descriptor?: Descriptor;
  readonly kind: (descriptor: Descriptor) => ContentKind;
  readonly condition?: Condition;
}

export interface Content extends Registry {
  copy(wanted: CopyWanted, call: Call): Promise<Receipt>;
}

/** Sends each call to the registry its reference names, if the caller may make it. */
export function createContent(embedded: Registry): Content {
  const at = (reference: Reference, verb: Verb, { caller }: Call): Registry => {
    demand(caller, verb, reference);
    return registryOf(reference);
  };
  const registryOf = (reference: Reference): Registry => {
    if (reference.host === EMBEDDED_HOST) return embedded;
    throw new DescryError(
      "REGISTRY_UNSUPPORTED",
      `${quote(reference.host)} is a remote registry; this server answers for ${EMBEDDED_HOST}/… alone`,
      { ref: formatReference(reference) },
    );
  };
  const content: Content = {
    resolve: async (reference, asked, call) => await at(reference, "pull", call).resolve(reference, asked, call),
    fetch: async (wanted, call) => await at(wanted.reference, "pull", call).fetch(wanted, call),
    prepare: async (repository, descriptors, mountFrom, call) => {
      const registry = at(repository, "push", call);
      for (const [i, from] of mountFrom.entries())
        if (from.host !== repository.host)
          throw DescryError.field(
            `mount_from[${i}]`,
            `is not on ${repository.host}; content is mounted within a registry`,
          );
      // Those the caller may not read are passed over in silence: a refusal would tell that they exist.
      const readable = mountFrom.filter((from) => call.caller.may("pull", repositoryOf(from)));
      return await registry.prepare(repository, descriptors, readable, call);
    },
    push: async (target, source, call) => await at(target.reference, "push", call).push(target, source, call),
    setTag: async (reference, digest, condition, call) =>
      await at(reference, "push", call).setTag(reference, digest, condition, call),
    listTags: async (wanted, call) => await at(wanted.repository, "pull", call).listTags(wanted, call),
    listReferrers: async (wanted, call) => await at(wanted.reference, "pull", call).listReferrers(wanted, call),
    remove: async (wanted, call) => await at(wanted.reference, "delete", call).remove(wanted, call),
    copy: async (wanted, call) => await copy(content, wanted, call),
  };
  return content;
}

/** Mounts if one registry holds both sides, else carries the bytes. */
async function copy(content: Content, wanted: CopyWanted, call: Call): Promise<Receipt> {
  const { source, target, condition } = wanted;
  // Asked first, so that a caller who may not write learns nothing of the source.
  demand(call.caller, "push", target);
  const digest = wanted.descriptor?.digest;
  const asked = { onlyCached: false };
  const fetched = await atSide(
    "source",
    content.fetch({ reference: source, ...(digest === undefined ? {} : { digest }), offset: 0, asked }, call),
  );
  const { size } = fetched.descriptor;
  if (wanted.descriptor !== undefined && wanted.descriptor.size !== size)
    throw new DescryError(
      "SIZE_MISMATCH",
      `${fetched.descriptor.digest} has ${size} bytes, not ${wanted.descriptor.size}`,
      { digest: fetched.descriptor.digest, side: "source", metadata: { size: String(size) } },
    );
  const descriptor = { ...fetched.descriptor, mediaType: wanted.descriptor?.mediaType || fetched.descriptor.mediaType };
  const kind = wanted.kind(descriptor);
  if (kind === "blob" && source.host === target.host) {
    const { states } = await atSide("target", content.prepare(target, [descriptor], [source], call));
    const presence = states[0]?.presence;
    if (presence === "present") return { reference: target, descriptor, outcome: "existed" };
    if (presence === "mounted") return { reference: target, descriptor, outcome: "mounted" };
  }
  const to = { reference: target, descriptor, kind, offset: 0, ...(condition === undefined ? {} : { condition }) };
  return await atSide("target", content.push(to, bytesOf(fetched), call));
}

/** Waits for one side's part of a copy, so that its errors tell which side that was. */
async function atSide<T>(side: "source" | "target", work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof DescryError && error.side === undefined ? amend(error, { side }) : error;
  }
}

async function* bytesOf(fetched: Fetched): AsyncGenerator<Uint8Array> {
  yield* await fetched.open();
}

function demand(caller: Caller, verb: Verb, reference: Reference): void {
  const repository = repositoryOf(reference);
  if (!caller.may(verb, repository))
    throw new DescryError("CALLER_DENIED", `caller ${quote(caller.name)} may not ${verb} ${quote(repository)}`, {
      ref: repository,
    });
}
