import { openStore } from "../../src/store/disk/index.ts";
import { perform } from "./commands.ts";
import type { Reply, Request } from "./worker-process.ts";

/** A process that does with a disk store what it is told over IPC, as many commands at once as are sent. */
let now = 0;
const store = await openStore(process.argv[2] ?? "", { clock: () => now });

process.on("message", ({ id, at, command }: Request) => {
  now = at;
  void (async () => {
    let reply: Reply;
    try {
      reply = { id, answer: await perform(store, command) };
    } catch (error) {
      reply = { id, error: error instanceof Error ? (error.stack ?? error.message) : "no error" };
    }
    process.send?.(reply);
  })();
});
process.on("disconnect", () => void store.close());
process.send?.({ id: 0 } satisfies Reply);
