import { createMemoryStore } from "../support/memory-store.ts";
import { storeSuite } from "../suite/store.ts";

storeSuite("in memory, the model of the others", async () => {
  const clock = { now: 1_700_000_000_000 };
  const store = createMemoryStore(() => clock.now);
  return { store, clock, damage: async (digest, how) => store.damage(digest, how), close: () => store.close() };
});
