import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import type { Caller, Verb } from "../content/caller.ts";
import { ContentService } from "../gen/descry/v1/content_service_pb.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { DescryError } from "../oci/errors.ts";
import { callKey } from "./call.ts";
import { callerKey, requestIdKey } from "./context.ts";
import { isFault, toConnectError } from "./errors.ts";
import { outcomeOf } from "./observe.ts";

/** What is known of the connection a call came by. */
export interface Peer {
  /** A unix socket, which only its owner can open. */
  readonly unix: boolean;
}

/** Tells who calls, by the request's header. Throws CALLER_UNAUTHENTICATED. */
export type Authenticate = (header: Headers, peer: Peer) => Caller;

/**
 * Decides who may call before a byte of the body is read, decompressed or parsed: a refused upload costs nothing. It
 * knows no repository yet, so that it refuses only what the caller may do nowhere; the services refuse the rest.
 */
export function createGate(authenticate: Authenticate): (context: HandlerContext) => void {
  return (context) => {
    const call = context.values.get(callKey);
    if (call !== undefined) {
      call.protocol = context.protocolName;
      call.signal = context.signal;
    }
    // Probes have no credentials.
    if (context.service.typeName === Health.typeName) return;
    try {
      const caller = authenticate(context.requestHeader, { unix: call?.unix === true });
      if (call !== undefined) call.caller = caller.name;
      if (context.service.typeName !== ServerReflection.typeName) demand(caller, verbOf(context.method));
      context.values.set(callerKey, caller);
    } catch (error) {
      const refusal = toConnectError(error, {
        op: context.method.name,
        requestId: context.values.get(requestIdKey),
        signal: context.signal,
      });
      if (call !== undefined) {
        call.outcome = outcomeOf(refusal);
        if (isFault(refusal)) call.fault = error;
      }
      throw refusal;
    }
  };
}

/** The right a method needs, by what the contract says of it: what has side effects is a push, so that none is forgotten. */
function verbOf(method: DescMethod): Verb {
  if (method === ContentService.method.delete) return "delete";
  return method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS ? "pull" : "push";
}

function demand(caller: Caller, verb: Verb): void {
  if (!caller.mayAnywhere(verb))
    throw new DescryError("CALLER_DENIED", `caller ${JSON.stringify(caller.name)} may ${verb} nowhere`);
}
