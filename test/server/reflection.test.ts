import { createFileRegistry, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { create } from "@bufbuild/protobuf";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ContentService } from "../../src/gen/descry/v1/content_service_pb.ts";
import { Health } from "../../src/gen/grpc/health/v1/health_pb.ts";
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
} from "../../src/gen/grpc/reflection/v1/reflection_pb.ts";
import { registerReflection } from "../../src/server/reflection.ts";

type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

const client = createClient(
  ServerReflection,
  createRouterTransport((router) => registerReflection(router, [ContentService, Health])),
);

async function ask(...questions: readonly Question[]) {
  const requests = (async function* () {
    for (const messageRequest of questions) yield { host: "h", messageRequest };
  })();
  const answers = [];
  for await (const answer of client.serverReflectionInfo(requests)) answers.push(answer);
  return answers;
}

async function filesFor(...questions: readonly Question[]) {
  return (await ask(...questions)).map(({ messageResponse }) => {
    if (messageResponse.case !== "fileDescriptorResponse") throw new Error(messageResponse.case);
    return messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  });
}

/** grpc/grpc, doc/server-reflection.md. */
describe("grpc.reflection.v1", () => {
  test("lists the services, and echoes what was asked", async () => {
    const [answer] = await ask({ case: "listServices", value: "*" });
    expect(answer).toMatchObject({ validHost: "h", originalRequest: { messageRequest: { case: "listServices" } } });
    const response = answer?.messageResponse;
    if (response?.case !== "listServicesResponse") throw new Error(response?.case);
    expect(response.value.service.map(({ name }) => name)).toEqual([
      "descry.v1.ContentService",
      "grpc.health.v1.Health",
    ]);
  });

  test.each([
    ["descry.v1.ContentService", "descry/v1/content_service.proto"],
    ["descry.v1.ContentService.Resolve", "descry/v1/content_service.proto"],
    ["descry.v1.ResolveRequest", "descry/v1/content_service.proto"],
    ["descry.v1.Platform", "descry/v1/types.proto"],
    ["descry.v1.ServedBy", "descry/v1/types.proto"],
    ["google.protobuf.Duration", "google/protobuf/duration.proto"],
    // Details of errors: no service names them.
    ["descry.v1.PlatformChoice", "descry/v1/errors.proto"],
    ["google.rpc.ErrorInfo", "google/rpc/error_details.proto"],
  ])("the file of %s is %s", async (value, name) => {
    const [files] = await filesFor({ case: "fileContainingSymbol", value });
    expect(files?.[0]?.name).toBe(name);
  });

  test("a file comes with all it imports, so that a client can build it", async () => {
    const [files] = await filesFor({ case: "fileByFilename", value: "descry/v1/content_service.proto" });
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: (files ?? []).toReversed() }));
    expect(registry.getService("descry.v1.ContentService")?.methods).toHaveLength(ContentService.methods.length);
    expect(registry.getMessage("descry.v1.Platform")?.field["osVersion"]?.jsonName ?? "missing").toBe("os.version");
  });

  test("what a stream has carried is not carried again, but what is asked for is", async () => {
    const value = "descry/v1/content_service.proto";
    const [first, second] = await filesFor({ case: "fileByFilename", value }, { case: "fileByFilename", value });
    expect(first?.length).toBeGreaterThan(1);
    expect(second?.map(({ name }) => name)).toEqual([value]);
  });

  test("there are no extensions", async () => {
    const [answer] = await ask({ case: "allExtensionNumbersOfType", value: "descry.v1.Platform" });
    expect(answer?.messageResponse).toMatchObject({
      case: "allExtensionNumbersResponse",
      value: { baseTypeName: "descry.v1.Platform", extensionNumber: [] },
    });
  });

  /** gRPC status 5 is NOT_FOUND, 3 INVALID_ARGUMENT. */
  test.each<[Question, number]>([
    [{ case: "fileByFilename", value: "none.proto" }, 5],
    [{ case: "fileContainingSymbol", value: "a.B" }, 5],
    [{ case: "allExtensionNumbersOfType", value: "a.B" }, 5],
    [{ case: "fileContainingExtension", value: { containingType: "descry.v1.Platform", extensionNumber: 9 } }, 5],
    [{ case: undefined }, 3],
  ])("%j is an error within the stream", async (question, errorCode) => {
    const [answer, next] = await ask(question, { case: "listServices", value: "" });
    expect(answer?.messageResponse).toMatchObject({ case: "errorResponse", value: { errorCode } });
    expect(next?.messageResponse.case).toBe("listServicesResponse");
  });
});
