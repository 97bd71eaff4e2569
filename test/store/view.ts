import type { Store, Stored } from "../../src/store/store.ts";
import { hashOf, incoming } from "../suite/store-actions.ts";
import { contents } from "./commands.ts";

/** Everything that a store shows of one repository. What it claims to have was read, and hashed by Node. */
export async function viewOf(store: Store, repository: string): Promise<unknown> {
  const content = [];
  for (const each of contents) {
    const referrers = await store.listReferrers(repository, each.digest, { after: "", limit: 100, artifactTypes: [] });
    content.push({
      manifest: await checked(store, await store.find(repository, each.digest, "manifest")),
      blob: await checked(store, await store.find(repository, each.digest, "blob")),
      resumable: await store.resumable(incoming(repository, each)),
      referrers: referrers.map(({ digest }) => digest),
    });
  }
  const tags = await store.listTags(repository, { after: "", limit: 100, prefix: "", omitDigestTags: false });
  return { exists: await store.hasRepository(repository), tags, content };
}

async function checked(store: Store, stored: Stored | undefined): Promise<Stored | undefined> {
  if (stored === undefined) return undefined;
  const bytes: Uint8Array[] = [];
  for await (const chunk of await store.read(stored, { offset: 0, length: stored.size })) bytes.push(chunk);
  const actual = hashOf(Buffer.concat(bytes), stored.digest.slice(0, stored.digest.indexOf(":")));
  if (actual !== stored.digest) throw new Error(`${stored.digest} is visible, and its bytes hash to ${actual}`);
  return stored;
}
