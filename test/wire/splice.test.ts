import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type FetchStreamResponse,
  FetchStreamResponseSchema,
  PushStreamRequestSchema,
} from "../../src/gen/descry/v1/content_service_pb.ts";
import { SplicedBody } from "../../src/wire/splice.ts";
import { UnsplicedBody } from "../../src/wire/unsplice.ts";

/** An envelope as the protocols define it: flags, length in four bytes, message. */
function envelope(message: Uint8Array, flags = 0): Uint8Array {
  const bytes = Buffer.alloc(5 + message.byteLength);
  bytes.writeUInt8(flags, 0);
  bytes.writeUInt32BE(message.byteLength, 1);
  bytes.set(message, 5);
  return bytes;
}

function envelopes(body: Uint8Array): { readonly flags: number; readonly message: Uint8Array }[] {
  const found = [];
  for (let at = 0; at < body.byteLength;) {
    const view = Buffer.from(body.buffer, body.byteOffset + at);
    const length = view.readUInt32BE(1);
    found.push({ flags: view.readUInt8(0), message: new Uint8Array(view.subarray(5, 5 + length)) });
    at += 5 + length;
  }
  return found;
}

async function* from(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function all(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks = [];
  for await (const chunk of body) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

/** The same bytes, cut at places. */
function cut(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.byteLength + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.byteLength].map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
}

const message = fc.record({
  data: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.uint8Array({ minLength: 4000, maxLength: 4200, size: "max" }),
    fc.constant(new Uint8Array(300_000).fill(7)),
  ),
  offset: fc.bigInt({ min: 0n, max: 2n ** 62n }),
});

const dataMessage = ({ data, offset }: { data: Uint8Array; offset: bigint }): FetchStreamResponse =>
  create(FetchStreamResponseSchema, { part: { case: "data", value: data }, offset });
const header = create(FetchStreamResponseSchema, { part: { case: "header", value: { ref: "r", verified: true } } });

describe("SplicedBody", () => {
  it("puts on the wire what the encoder would have", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 6 }), async (messages) => {
        const spliced = new SplicedBody();
        const encoded = async function* (): AsyncGenerator<Uint8Array> {
          yield envelope(toBinary(FetchStreamResponseSchema, header));
          for (const { data, offset } of messages) {
            spliced.put(data);
            yield envelope(toBinary(FetchStreamResponseSchema, dataMessage({ data: new Uint8Array(), offset })));
          }
          yield envelope(new TextEncoder().encode("{}"), 2);
        };
        const sent = envelopes(await all(spliced.join(encoded())));
        expect(sent.map(({ flags }) => flags)).toEqual([0, ...messages.map(() => 0), 2]);
        const decoded = sent.slice(0, -1).map((each) => fromBinary(FetchStreamResponseSchema, each.message));
        expect(decoded).toEqual([header, ...messages.map(dataMessage)]);
      }),
      { numRuns: 60 },
    );
  });
});

describe("UnsplicedBody", () => {
  it("gives every byte of every message, however the network cuts them", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.boolean(),
        async (messages, places, compressedEnd) => {
          const body = Buffer.concat([
            envelope(toBinary(FetchStreamResponseSchema, header)),
            ...messages.map((each) => envelope(toBinary(FetchStreamResponseSchema, dataMessage(each)))),
            envelope(new TextEncoder().encode("{}"), compressedEnd ? 3 : 2),
          ]);
          const unspliced = new UnsplicedBody();
          unspliced.want();
          const arrived = envelopes(await all(unspliced.split(from(cut(body, places)))));
          expect(arrived.at(-1)).toEqual({ flags: compressedEnd ? 3 : 2, message: new TextEncoder().encode("{}") });
          const [first, ...others] = arrived
            .slice(0, -1)
            .map((each) => fromBinary(FetchStreamResponseSchema, each.message));
          expect(first).toEqual(header);
          const seen = others.map(({ part, offset }) => {
            const value = part.case === "data" ? part.value : undefined;
            return { data: value?.byteLength === 0 ? new Uint8Array(Buffer.concat(unspliced.take())) : value, offset };
          });
          expect(seen).toEqual(messages);
          expect(unspliced.take()).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("leaves alone what is no plain data message, and what nobody asked for", async () => {
    const big = new Uint8Array(9000).fill(1);
    const data = toBinary(
      PushStreamRequestSchema,
      create(PushStreamRequestSchema, { part: { case: "data", value: big } }),
    );
    const odd = [
      envelope(data, 1), // compressed
      envelope(Buffer.concat([data, data])), // the field twice: the last one counts
      envelope(Buffer.concat([data, Buffer.from([0x0a, 0x00])])), // a header after it
      envelope(Buffer.concat([Buffer.from([0x22, 0x01, 0x00]), data])), // an unknown field before it
      envelope(big), // no message
    ];
    const unspliced = new UnsplicedBody();
    unspliced.want();
    const body = Buffer.concat(odd);
    expect(await all(unspliced.split(from(cut(body, [3, 4100, 9001]))))).toEqual(new Uint8Array(body));
    expect(unspliced.take()).toEqual([]);

    const plain = envelope(data);
    expect(await all(new UnsplicedBody().split(from([plain])))).toEqual(new Uint8Array(plain));
  });

  it("passes a message on while it comes, if it is larger than any may be", async () => {
    const prefix = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 0x12]);
    const unspliced = new UnsplicedBody();
    unspliced.want();
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      yield prefix;
      throw new Error("asked for more than the first chunk");
    };
    const body = unspliced.split(endless());
    expect((await body.next()).value).toEqual(prefix);
  });
});
