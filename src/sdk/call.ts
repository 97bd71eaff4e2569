import type { CallOptions as WireOptions, Client } from "@connectrpc/connect";
import type { ContentService } from "../gen/descry/v1/content_service_pb.ts";
import { DescryError } from "../oci/errors.ts";
import { linkSignals } from "./abort.ts";
import type { Clock } from "./clock.ts";
import { errorFromWire, isReset } from "./errors.ts";
import { callHeaders } from "./headers.ts";
import type { CallOptions, Resume } from "./options.ts";

/** What every verb needs of the client it belongs to. */
export interface Context {
  readonly wire: Client<typeof ContentService>;
  readonly streamsRequests: boolean;
  readonly splices: boolean;
  readonly headers: Headers;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly resume: Resume | false;
  readonly clock: Clock;
}

/** One call under way, which may be several requests. */
export interface Call {
  /** Aborts when the caller, the client or {@link end} cancels. */
  readonly signal: AbortSignal;
  /** Options of the next request: what is left of the time. */
  request(): WireOptions;
  /** What a request threw, as the caller shall see it. */
  failure(thrown: unknown): DescryError;
  /** Cancels what still runs and lets go of the signals. To be called once the call is over, however it ended. */
  end(): void;
}

export function startCall(context: Context, options: CallOptions, timeoutMs?: number): Call {
  const linked = linkSignals([context.signal, options.signal]);
  const headers = callHeaders(context.headers, options);
  const limit = options.timeoutMs ?? timeoutMs;
  const deadline = limit === undefined ? undefined : context.clock.now() + limit;
  return {
    signal: linked.signal,
    request: () => ({
      signal: linked.signal,
      headers,
      // 0 means "no limit" to connect, so a limit that is used up has to be one millisecond.
      ...(deadline === undefined ? {} : { timeoutMs: Math.max(1, Math.ceil(deadline - context.clock.now())) }),
    }),
    failure: (thrown) => (linked.signal.aborted ? abortError(linked.signal.reason) : errorFromWire(thrown)),
    end: () => {
      linked.unlink();
      linked.abort();
    },
  };
}

/** One request, one answer. Sent a second time if a kept-alive connection turns out to be dead: every call of the contract may be. */
export async function ask<T>(
  context: Context,
  options: CallOptions,
  send: (request: WireOptions) => Promise<T>,
): Promise<T> {
  const call = startCall(context, options, context.timeoutMs);
  try {
    try {
      return await send(call.request());
    } catch (thrown) {
      const error = call.failure(thrown);
      if (!isReset(error)) throw error;
    }
    return await send(call.request());
  } catch (thrown) {
    throw call.failure(thrown);
  } finally {
    call.end();
  }
}

function abortError(reason: unknown): DescryError {
  const timeout = reason instanceof Error && reason.name === "TimeoutError";
  return new DescryError(undefined, timeout ? "the call took too long" : "the call was canceled", {
    code: timeout ? "deadline_exceeded" : "canceled",
    cause: reason,
  });
}
