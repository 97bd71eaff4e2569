import { type DescFile, type DescService, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { file_descry_v1_errors } from "../gen/descry/v1/errors_pb.ts";
import { file_google_rpc_error_details } from "../gen/google/rpc/error_details_pb.ts";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.ts";

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

/**
 * Serves grpc.reflection.v1 over the given services. Not v1alpha: buf curl and grpcurl (from 1.8.8) ask for v1 first.
 */
export function registerReflection(router: ConnectRouter, services: readonly DescService[]): void {
  const files = filesOf(services);
  const bySymbol = new Map([...files.values()].flatMap((file) => symbolsOf(file).map((name) => [name, file] as const)));
  router.service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      const sent = new Set<string>();
      for await (const request of requests)
        yield {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answer(request.messageRequest, services, files, bySymbol, sent),
        };
    },
  });
}

function answer(
  question: ServerReflectionRequest["messageRequest"],
  services: readonly DescService[],
  files: ReadonlyMap<string, DescFile>,
  bySymbol: ReadonlyMap<string, DescFile>,
  sent: Set<string>,
): Answer {
  switch (question.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: services.map(({ typeName }) => ({ name: typeName })) },
      };
    case "fileByFilename":
      return describe(files.get(question.value), question.value, sent);
    case "fileContainingSymbol":
      return describe(bySymbol.get(question.value), question.value, sent);
    case "allExtensionNumbersOfType":
      if (!bySymbol.has(question.value)) return unknown(question.value);
      return { case: "allExtensionNumbersResponse", value: { baseTypeName: question.value, extensionNumber: [] } };
    case "fileContainingExtension":
      return unknown(`${question.value.containingType} extension ${question.value.extensionNumber}`);
    case undefined:
      return {
        case: "errorResponse",
        value: { errorCode: Code.InvalidArgument, errorMessage: "the request asks nothing" },
      };
  }
}

/** A file with all it imports, those left out that this stream has carried already. */
function describe(file: DescFile | undefined, name: string, sent: Set<string>): Answer {
  if (file === undefined) return unknown(name);
  const wanted = [file, ...importsOf(file).filter(({ proto }) => !sent.has(proto.name))];
  for (const { proto } of wanted) sent.add(proto.name);
  return {
    case: "fileDescriptorResponse",
    value: { fileDescriptorProto: wanted.map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto)) },
  };
}

function unknown(name: string): Answer {
  return { case: "errorResponse", value: { errorCode: Code.NotFound, errorMessage: `${name} is not known here` } };
}

function importsOf(file: DescFile): readonly DescFile[] {
  const found = new Set<DescFile>();
  const visit = (next: DescFile): void => {
    for (const dependency of next.dependencies) {
      if (found.has(dependency)) continue;
      found.add(dependency);
      visit(dependency);
    }
  };
  visit(file);
  return [...found];
}

/** Files of messages that no service names: they come as details of errors, which clients print by what we tell them. */
const errorFiles: readonly DescFile[] = [file_descry_v1_errors, file_google_rpc_error_details];

function filesOf(services: readonly DescService[]): ReadonlyMap<string, DescFile> {
  const roots = [...services.map(({ file }) => file), ...errorFiles];
  const all = roots.flatMap((file) => [file, ...importsOf(file)]);
  return new Map(all.map((file) => [file.proto.name, file]));
}

/** Messages, enums and extensions, services and their methods, by full name. */
function symbolsOf(file: DescFile): readonly string[] {
  return [...nestedTypes(file)].flatMap((type) =>
    type.kind === "service"
      ? [type.typeName, ...type.methods.map(({ name }) => `${type.typeName}.${name}`)]
      : [type.typeName],
  );
}
