import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { Refusal } from "./answer.ts";
import type { HttpRequest } from "./listen.ts";

/** Longest piece of a request that is quoted back, in characters. */
const QUOTED_LENGTH = 200;

/** No Host, or one that makes no URL. */
export const badTarget: Refusal = {
  status: 400,
  code: "invalid_argument",
  reason: "TARGET_INVALID",
  message: "the Host header (or :authority) is missing, or makes no URL with the path",
};

export function unknownPath(path: string): Refusal {
  return {
    status: 404,
    code: "unimplemented",
    reason: "PATH_UNKNOWN",
    message:
      `nothing is at ${path.slice(0, QUOTED_LENGTH)}. Call an RPC: POST /descry.v1.ContentService/Resolve with ` +
      'Content-Type: application/json and {"ref":"..."}; "buf curl --list-methods" lists all',
  };
}

/** Content types a method takes, for Accept-Post. */
const unaryTypes = "application/json, application/proto, application/grpc, application/grpc-web";
const streamTypes = "application/connect+json, application/connect+proto, application/grpc, application/grpc-web";

/** Explains the statuses by which Connect refuses a request that is none of its protocols'. They have no body. */
export function protocolRefusal(handler: UniversalHandler, request: HttpRequest, status: number): Refusal {
  const unary = handler.method.methodKind === "unary";
  const type = request.headers["content-type"];
  if (status === 405) {
    const allowed = handler.allowedMethods.filter((method, at, all) => all.indexOf(method) === at);
    const allow = [...allowed, ...(unary && allowed.includes("GET") ? ["HEAD"] : [])].join(", ");
    return {
      status,
      code: "unknown",
      reason: "METHOD_NOT_ALLOWED",
      message: `${handler.method.name} takes ${allow}, not ${request.method ?? "this"}`,
      headers: { Allow: allow },
    };
  }
  if (status === 415) {
    const accepted = unary ? unaryTypes : streamTypes;
    return {
      status,
      code: "unknown",
      reason: "CONTENT_TYPE_UNKNOWN",
      message: `send one of these as Content-Type: ${accepted}; ${type === undefined ? "there was none" : `not ${type.slice(0, QUOTED_LENGTH)}`}`,
      headers: { "Accept-Post": accepted },
    };
  }
  return { status, code: "unknown", reason: "PROTOCOL_UNSUPPORTED", message: `${handler.method.name} needs HTTP/2` };
}

/** Connect decodes a GET's message without a check, and calls what it cannot decode a fault of the server. */
export function refusedQuery(url: string): Refusal | undefined {
  const query = new URLSearchParams(url.split("?", 2)[1]);
  const message = query.get("message") ?? "";
  if (query.get("base64") !== "1" || (/^[\w+/-]*={0,2}$/.test(message) && message.replace(/=+$/, "").length % 4 !== 1))
    return undefined;
  return {
    status: 400,
    code: "invalid_argument",
    reason: "QUERY_INVALID",
    message: "with base64=1 the query's message must be base64url",
  };
}
