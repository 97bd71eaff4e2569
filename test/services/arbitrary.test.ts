import {
  create,
  type DescField,
  type DescMessage,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type Message,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type Transport, ConnectError } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ContentService, PreparePushRequestSchema } from "../../src/gen/descry/v1/content_service_pb.ts";
import {
  type ContentServer,
  descriptorOf,
  INDEX,
  manifestOf,
  pushManifest,
  refusal,
  startContentServer,
} from "../support/content-server.ts";

const REF = "descry.local/a";
const manifest = manifestOf("a");
const desc = descriptorOf(manifest, INDEX);

let server: ContentServer;
let transport: Transport;
beforeAll(async () => {
  server = await startContentServer();
  transport = createConnectTransport({ baseUrl: server.http, httpVersion: "1.1" });
  await pushManifest(server.client(), `${REF}:v1`, manifest);
});
afterAll(() => server.stop());

/** Texts that get past the first checks, as often as any other. */
const texts = [
  "",
  REF,
  `${REF}:v1`,
  `${REF}:v2`,
  `${REF}@${desc.digest}`,
  "descry.local/b",
  "alpine",
  desc.digest,
  `sha384:${"0".repeat(96)}`,
  INDEX,
  "text/plain",
  "v1",
  "AAAA",
];
const text = fc.oneof(fc.constantFrom(...texts), fc.string({ unit: "grapheme", maxLength: 30 }));
const int64 = fc.oneof(
  fc.constantFrom(0n, 1n, desc.size, desc.size + 1n, 4194304n),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);
const int32 = fc.oneof(fc.nat(3), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
const bytes = fc.oneof(fc.constant(manifest), fc.uint8Array({ maxLength: 40 }));

/** Sets a field, or not. */
type Setter = (message: ReflectMessage) => void;

/** The scalars of the contract. */
const scalars: Partial<Readonly<Record<ScalarType, fc.Arbitrary<unknown>>>> = {
  [ScalarType.STRING]: text,
  [ScalarType.BYTES]: bytes,
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.INT64]: int64,
  [ScalarType.INT32]: int32,
};

function scalarOf(scalar: ScalarType): fc.Arbitrary<unknown> {
  const arbitrary = scalars[scalar];
  if (arbitrary === undefined) throw new Error(`the contract has a new kind of scalar: ${ScalarType[scalar]}`);
  return arbitrary;
}

function setterOf(field: DescField): fc.Arbitrary<Setter> {
  switch (field.fieldKind) {
    case "scalar":
      return scalarOf(field.scalar).map((value) => (message) => message.set(field, value));
    case "enum":
      return int32.map((value) => (message) => message.set(field, value));
    case "message":
      return messageOf(field.message).map((value) => (message) => message.set(field, reflect(field.message, value)));
    case "map":
      return fc.dictionary(fc.string(), text, { maxKeys: 2, noNullPrototype: true }).map((entries) => (message) => {
        for (const [key, value] of Object.entries(entries)) message.get(field).set(key, value);
      });
    case "list": {
      const { listKind } = field;
      if (listKind === "scalar")
        return fc
          .array(scalarOf(field.scalar), { maxLength: 3 })
          .map((items) => (message) => items.forEach((item) => message.get(field).add(item)));
      if (listKind === "message")
        return fc
          .array(messageOf(field.message), { maxLength: 3 })
          .map((items) => (message) => items.forEach((item) => message.get(field).add(reflect(field.message, item))));
      throw new Error("the contract has a list of enums");
    }
  }
}

/** Any message of a schema, every other field unset. */
function messageOf<Desc extends DescMessage>(schema: Desc): fc.Arbitrary<MessageShape<Desc>> {
  const setters = schema.fields.map((field) => fc.option(setterOf(field), { nil: undefined }));
  return fc.tuple(...setters).map((chosen) => {
    const message = create(schema);
    const mirror = reflect(schema, message);
    for (const set of chosen) set?.(mirror);
    return message;
  });
}

type Method = DescMethodUnary | DescMethodServerStreaming | DescMethodClientStreaming;

async function call(method: Method, messages: readonly Message[]): Promise<void> {
  const [first] = messages;
  if (method.methodKind === "unary") {
    if (first !== undefined) await transport.unary(method, undefined, undefined, undefined, first);
    return;
  }
  const sent = (async function* () {
    yield* messages;
  })();
  const { message } = await transport.stream(method, undefined, undefined, undefined, sent);
  for await (const _ of message);
}

test.each(Object.values(ContentService.method))("no message makes $name fail by itself", async (method: Method) => {
  const most = method.methodKind === "client_streaming" ? 4 : 1;
  const messages = fc.array(messageOf(method.input), { minLength: 1, maxLength: most });
  await fc.assert(
    fc.asyncProperty(messages, async (sent) => {
      const outcome = await call(method, sent).then(
        () => undefined,
        (error: unknown) => ConnectError.from(error),
      );
      if (outcome === undefined) return;
      const { code, reason, fields } = await refusal(Promise.reject(outcome));
      expect(["internal", "unknown", "data_loss"], outcome.message).not.toContain(code);
      expect(reason, outcome.message).toMatch(/^[A-Z_]+$/);
      // errors.proto: INVALID_ARGUMENT has one violation for each field.
      expect(fields.length > 0).toBe(code === "invalid_argument");
      expect(fields).toHaveLength(new Set(fields).size);
    }),
    { numRuns: 150 },
  );
});

test("the messages made here are not all refused at the door", () => {
  const samples = fc.sample(messageOf(PreparePushRequestSchema), 500);
  expect(samples.some(({ repository, descs }) => repository === REF && descs.length > 0)).toBe(true);
});
