import type { DescryError } from "../oci/errors.ts";
import type { Clock } from "./clock.ts";
import type { Resume } from "./options.ts";

/** Attempts in a row without progress before a broken stream is given up; with the delay below, after 1.5 seconds. */
const ATTEMPTS = 5;
/** Milliseconds before the second attempt without progress; doubled for each further one. */
const DELAY_MS = 100;
/** Longest wait, in milliseconds, whatever a server asks for: who wants to wait longer calls again. */
const LONGEST_DELAY_MS = 10_000;

/** Decides whether a stream that broke goes on. One for each stream. */
export interface Resumer {
  /** Resolves when it is time for the next attempt; throws `error` if there is none. `offset`: bytes that are safe. */
  next(error: DescryError, offset: number, signal: AbortSignal): Promise<void>;
}

/** Only what may be different next time is tried again: a broken connection, a server that shuts down, a wrong offset. */
export function createResumer(resume: Resume | false, clock: Clock): Resumer {
  const { attempts = ATTEMPTS, delayMs = DELAY_MS } = resume === false ? { attempts: 0 } : resume;
  let reached = -1;
  let idle = 0;
  return {
    next: async (error, offset, signal) => {
      const worthIt = error.code === "unavailable" || error.reason === "OFFSET_MISMATCH";
      idle = offset > reached ? 0 : idle + 1;
      reached = Math.max(reached, offset);
      if (!worthIt || idle >= attempts) throw error;
      if (idle > 0) await clock.wait(Math.min(error.retryAfter ?? delayMs * 2 ** (idle - 1), LONGEST_DELAY_MS), signal);
    },
  };
}
