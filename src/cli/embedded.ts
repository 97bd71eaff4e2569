import { type ConnectRouter, createRouterTransport, type Transport } from "@connectrpc/connect";
import type { Config } from "../config/config.ts";
import { localCaller } from "../content/caller.ts";
import { createEmbeddedRegistry } from "../content/embedded.ts";
import { createContent } from "../content/router.ts";
import { startUpkeep } from "../content/upkeep.ts";
import { createRouterOptions } from "../server/router.ts";
import { contentRoutes } from "../server/services/content.ts";
import { openStore } from "../store/disk/index.ts";

/** The services of one process over its data directory. */
export interface OpenContent {
  readonly routes: (router: ConnectRouter) => void;
  /**
   * Makes this process the one that does the background work, and starts it: what died before is cleared first.
   * Throws with the leader's address if there is one. `log` takes a line for each round that did something or failed.
   */
  lead(address: string, log: (line: object) => void): Promise<void>;
  /** Ends the background work and gives up the lead. */
  close(): Promise<void>;
}

/** How often a leader collects what nobody needs, in milliseconds. Grace periods are 24 h, so an hour is soon enough. */
const COLLECT_INTERVAL_MS: number = 60 * 60 * 1000;

/** Composes the services from the configuration: the one place where store, content and services meet. */
export async function openContent(config: Config): Promise<OpenContent> {
  const store = await openStore(config.dataDir);
  const content = createContent(createEmbeddedRegistry(store, Date.now));
  const ending: (() => Promise<void>)[] = [() => store.close()];
  return {
    routes: contentRoutes(content),
    lead: async (address, log) => {
      ending.unshift(await store.lead(address));
      await store.recover();
      const note = (event: string, what: object): void => log({ time: new Date().toISOString(), event, ...what });
      const upkeep = startUpkeep(store, {
        repeat: (work) => {
          work();
          const timer = setInterval(work, COLLECT_INTERVAL_MS);
          return () => clearInterval(timer);
        },
        onCollected: (collected) => {
          if (collected.blobs + collected.uploads > 0) note("collected", collected);
        },
        onError: (error) => note("collect_failed", { error: error instanceof Error ? error.stack : String(error) }),
      });
      ending.unshift(() => upkeep.stop());
    },
    close: async () => {
      for (const end of ending) await end();
    },
  };
}

/** The same services without a network: what the CLI talks to when no server is named. */
export async function openEmbedded(config: Config): Promise<{ transport: Transport; close(): Promise<void> }> {
  const content = await openContent(config);
  const router = createRouterOptions({ authenticate: () => localCaller });
  return { transport: createRouterTransport(content.routes, { router }), close: () => content.close() };
}
