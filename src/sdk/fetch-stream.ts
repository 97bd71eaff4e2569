import { createContextValues } from "@connectrpc/connect";
import type { FetchHeader, FetchStreamResponse } from "../gen/descry/v1/content_service_pb.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { DescryError } from "../oci/errors.ts";
import { Verifier } from "../oci/verifier.ts";
import { incomingKey } from "../wire/keys.ts";
import { UnsplicedBody } from "../wire/unsplice.ts";
import { type Call, type Context, startCall } from "./call.ts";
import { checkIdentity, type ContentOptions, contentRequest, type Wanted, wantedOf } from "./content-request.ts";
import type { TransferOptions } from "./options.ts";
import { createResumer, type Resumer } from "./resume.ts";
import type { FetchedStream } from "./results.ts";
import { broken, bytesFromWire, descriptorFromWire, freshnessFromWire, sizeFromWire } from "./values.ts";

export interface FetchStreamOptions extends ContentOptions, TransferOptions {}

/** Resolves once the header is here; the bytes wait until they are read. */
export async function fetchStream(
  context: Context,
  ref: string,
  options: FetchStreamOptions = {},
): Promise<FetchedStream> {
  const wanted = wantedOf(ref, options);
  const call = startCall(context, options);
  try {
    const opened = await openStream(context, call, ref, options, wanted);
    const desc = descriptorFromWire(opened.header.desc);
    checkIdentity(wanted, desc);
    const reader = new StreamReader(opened.messages, { context, call, ref, options, wanted, desc });
    return {
      ref: opened.header.ref,
      desc,
      pinnedRef: opened.header.pinnedRef,
      freshness: freshnessFromWire(opened.header.freshness),
      verified: opened.header.verified,
      bytes: reader.read(),
      cancel: () => call.end(),
    };
  } catch (thrown) {
    const error = call.failure(thrown);
    call.end();
    throw error;
  }
}

interface Messages {
  readonly decoded: AsyncIterator<FetchStreamResponse>;
  /** The data of messages that were decoded without. */
  readonly bytes: UnsplicedBody;
}

/** Sends the request and reads the header. */
async function openStream(
  context: Context,
  call: Call,
  ref: string,
  options: FetchStreamOptions,
  { offset, length }: Pick<Wanted, "offset" | "length">,
): Promise<{ readonly header: FetchHeader; readonly messages: Messages }> {
  const request = { ...contentRequest(ref, options), offset: BigInt(offset), length: BigInt(length) };
  const bytes = new UnsplicedBody();
  bytes.want();
  const contextValues = createContextValues().set(incomingKey, bytes);
  const decoded = context.wire.fetchStream(request, { ...call.request(), contextValues })[Symbol.asyncIterator]();
  const first = await decoded.next();
  if (first.done === true || first.value.part.case !== "header") return broken("a stream without a header");
  if (sizeFromWire(first.value.offset) !== offset) broken(`offset ${first.value.offset} instead of ${offset}`);
  return { header: first.value.part.value, messages: { decoded, bytes } };
}

interface Stream {
  readonly context: Context;
  readonly call: Call;
  readonly ref: string;
  readonly options: FetchStreamOptions;
  readonly wanted: Wanted;
  readonly desc: Descriptor;
}

/** Reads one stream, over as many requests as it takes. */
class StreamReader {
  readonly #stream: Stream;
  readonly #resumer: Resumer;
  /** Only whole content can be verified. */
  readonly #verifier: Verifier | undefined;
  /** Byte after the last one wanted. */
  readonly #end: number;
  #position: number;
  #messages: Messages;
  /** Pieces of the message that is being read. */
  #pieces: readonly Uint8Array[] = [];

  constructor(messages: Messages, stream: Stream) {
    const { wanted, desc, options, context } = stream;
    this.#stream = stream;
    this.#messages = messages;
    this.#resumer = createResumer(options.resume ?? context.resume, context.clock);
    this.#position = wanted.offset;
    this.#end = wanted.length === 0 ? desc.size : Math.min(desc.size, wanted.offset + wanted.length);
    this.#verifier = wanted.offset === 0 && this.#end === desc.size ? new Verifier(desc, "data_loss") : undefined;
  }

  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    const { call, options, desc } = this.#stream;
    let last: Uint8Array | undefined;
    try {
      for (let data = await this.#next(); data !== undefined; data = await this.#next()) {
        this.#verifier?.update(data);
        if (this.#position > this.#end) this.#wrongSize();
        // Once a message, however the network cut it.
        if (this.#pieces.length === 0)
          options.onProgress?.({ digest: desc.digest, offset: this.#position, total: desc.size });
        // A reader that counts bytes would stop at the last one: it must not have it before everything is verified.
        if (this.#position === this.#end) last = data;
        else yield data;
      }
      if (this.#position < this.#end) this.#wrongSize();
      this.#verifier?.finish();
      if (last !== undefined) yield last;
    } finally {
      call.end();
    }
  }

  /** The next bytes; undefined at the end. Goes on by itself after a break. */
  async #next(): Promise<Uint8Array | undefined> {
    const { call } = this.#stream;
    for (;;) {
      const [piece, ...others] = this.#pieces;
      if (piece !== undefined) {
        this.#pieces = others;
        this.#position += piece.byteLength;
        return piece;
      }
      try {
        const { decoded, bytes } = this.#messages;
        const message = await decoded.next();
        if (message.done === true) return undefined;
        const { part, offset } = message.value;
        if (part.case === "header") broken("a second header");
        if (part.case !== "data") continue;
        const pieces = part.value.byteLength === 0 ? bytes.take() : [bytesFromWire(part.value)];
        if (pieces.length > 0 && sizeFromWire(offset) !== this.#position)
          broken(`data at ${offset} instead of ${this.#position}`);
        this.#pieces = pieces;
      } catch (thrown) {
        const error = call.failure(thrown);
        // All bytes are here; what got lost is the end of the stream.
        if (error.code === "unavailable" && this.#position === this.#end) return undefined;
        await this.#resume(error);
      }
    }
  }

  async #resume(cause: DescryError): Promise<void> {
    const { context, call, ref, options, desc } = this.#stream;
    for (let error = cause; ;) {
      await this.#resumer.next(error, this.#position, call.signal);
      try {
        const named = { ...options, digest: desc.digest };
        const range = {
          offset: this.#position,
          length: this.#stream.wanted.length === 0 ? 0 : this.#end - this.#position,
        };
        this.#messages = (await openStream(context, call, ref, named, range)).messages;
        return;
      } catch (thrown) {
        error = call.failure(thrown);
      }
    }
  }

  #wrongSize(): never {
    const { desc } = this.#stream;
    throw new DescryError(
      "SIZE_MISMATCH",
      `the stream of ${desc.digest} came to byte ${this.#position}, not to ${this.#end}`,
      {
        code: "data_loss",
        digest: desc.digest,
        metadata: { size: String(desc.size) },
      },
    );
  }
}
