import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { type Call, callKey, type Outcome } from "./call.ts";
import { reasonOf } from "./errors.ts";

/** Counts a call's messages and notes how it ended. Outermost, so that it sees errors in their wire form. */
export const observe: Interceptor = (next) => async (request) => {
  const call = request.contextValues.get(callKey);
  if (call === undefined) return next(request);
  try {
    if (!request.stream) call.messagesIn++;
    const response = await next(
      request.stream ? { ...request, message: tap(request.message, () => call.messagesIn++) } : request,
    );
    if (response.stream) return { ...response, message: watch(response.message, call) };
    call.messagesOut++;
    call.outcome = { code: "ok" };
    return response;
  } catch (error) {
    call.outcome = outcomeOf(error);
    throw error;
  }
};

/** The outcome an error in wire form stands for. */
export function outcomeOf(error: unknown): Outcome {
  // Errors of handlers have their wire form by now; what has none is Node's, of a write to a client that went away.
  if (!(error instanceof ConnectError)) return { code: "canceled" };
  const reason = reasonOf(error);
  return { code: codeToString(error.code), ...(reason === undefined ? {} : { reason }) };
}

async function* tap<T>(messages: AsyncIterable<T>, count: () => void): AsyncGenerator<T, void> {
  for await (const message of messages) {
    count();
    yield message;
  }
}

async function* watch<T>(messages: AsyncIterable<T>, call: Call): AsyncGenerator<T, void> {
  // Stays if the stream is let go of before its end: the client went away.
  call.outcome = { code: "canceled" };
  try {
    for await (const message of messages) {
      yield message;
      call.messagesOut++;
    }
    call.outcome = { code: "ok" };
  } catch (error) {
    call.outcome = outcomeOf(error);
    throw error;
  }
}
