import type { MessageInitShape } from "@bufbuild/protobuf";
import { createContextValues } from "@connectrpc/connect";
import type { PushStreamRequestSchema } from "../gen/descry/v1/content_service_pb.ts";
import { parseReference, repositoryOf } from "../oci/reference.ts";
import { outgoingKey } from "../wire/keys.ts";
import { SplicedBody } from "../wire/splice.ts";
import { type Call, type Context, startCall } from "./call.ts";
import { preparePush } from "./prepare-push.ts";
import type { PushOptions } from "./push-options.ts";
import { createResumer } from "./resume.ts";
import type { Receipt } from "./results.ts";
import { type ContentName, inMessages, openSource, type PushSource, reopens } from "./source.ts";
import { conditionToWire, descriptorToWire, kindToWire, receiptFromWire } from "./values.ts";

/**
 * Pushes content of any size. A source that can be read again starts where an earlier push of the same content broke
 * off, and goes on by itself after a break.
 */
export async function pushStream(
  context: Context,
  ref: string,
  source: PushSource,
  desc: ContentName,
  options: PushOptions,
): Promise<Receipt> {
  const repository = repositoryOf(parseReference(ref));
  const resume = options.resume ?? context.resume;
  const once = !reopens(source);
  const resumer = createResumer(resume, context.clock);
  const call = startCall(context, options);
  try {
    for (let start = once || resume === false ? BEGINNING : undefined; ;) {
      try {
        start ??= await whereToStart(context, call, repository, desc, options);
        return await send(context, call, { ref, source, desc, options, start });
      } catch (thrown) {
        if (thrown instanceof SourceError) throw thrown;
        const error = call.failure(thrown);
        await resumer.next(error, start?.offset ?? 0, call.signal);
        // After a break only the server knows how far it got.
        start = undefined;
        if (once) {
          // The bytes are gone with the break. But it may have been the answer that got lost.
          start = await whereToStart(context, call, repository, desc, options);
          if (!start.there) throw error;
        }
      }
    }
  } catch (thrown) {
    throw thrown instanceof SourceError ? thrown.cause : call.failure(thrown);
  } finally {
    call.end();
  }
}

interface Start {
  /** First byte to send. */
  readonly offset: number;
  /** The content is there already: the answer is expected before a byte is sent. */
  readonly there: boolean;
}

const BEGINNING: Start = { offset: 0, there: false };

/** Milliseconds to wait for the answer about content that is there, before sending it after all: it may be gone. */
const EARLY_ANSWER_MS = 5_000;

async function whereToStart(
  context: Context,
  call: Call,
  repository: string,
  desc: ContentName,
  { headers }: PushOptions,
): Promise<Start> {
  const options = { signal: call.signal, ...(headers === undefined ? {} : { headers }) };
  const { states } = await preparePush(context, repository, [desc], options);
  const [state] = states;
  return state === undefined ? BEGINNING : { offset: state.offset, there: state.presence !== "missing" };
}

interface Sending {
  readonly ref: string;
  readonly source: PushSource;
  readonly desc: ContentName;
  readonly options: PushOptions;
  readonly start: Start;
}

/** The caller's own source failed: that is no answer of the server, and nothing to try again. */
class SourceError extends Error {}

/** Stands for bytes that pass the encoder by. */
const nothing = new Uint8Array();

type Message = MessageInitShape<typeof PushStreamRequestSchema>;

async function send(context: Context, call: Call, sending: Sending): Promise<Receipt> {
  const { ref, source, desc, options, start } = sending;
  const bytes = inMessages(openSource(source, start.offset));
  const outgoing = context.splices ? new SplicedBody() : undefined;
  const answered = new AbortController();
  let failed: SourceError | undefined;

  async function* messages(): AsyncGenerator<Message, void, undefined> {
    const header = {
      ref,
      desc: descriptorToWire(desc),
      offset: BigInt(start.offset),
      ...conditionToWire(options.ifCurrent),
      kind: kindToWire(options.kind),
    };
    yield { part: { case: "header", value: header } };
    if (start.there) await context.clock.wait(EARLY_ANSWER_MS, answered.signal);
    for (let sent = start.offset; !answered.signal.aborted;) {
      const next = await bytes.next().catch((cause: unknown) => {
        failed = new SourceError("the source failed", { cause });
        throw failed;
      });
      if (next.done === true) return;
      outgoing?.put(next.value);
      yield { part: { case: "data", value: outgoing === undefined ? next.value : nothing } };
      sent += next.value.byteLength;
      options.onProgress?.({ digest: desc.digest, offset: sent, total: desc.size });
    }
  }

  try {
    const contextValues = createContextValues().set(outgoingKey, outgoing);
    const answer = await context.wire.pushStream(messages(), { ...call.request(), contextValues });
    return receiptFromWire(answer.receipt);
  } catch (thrown) {
    throw failed ?? thrown;
  } finally {
    answered.abort();
    // After an early answer nobody asks for the rest: the source must be told, but may be waiting for a slow read.
    bytes.return().catch(() => undefined);
  }
}
