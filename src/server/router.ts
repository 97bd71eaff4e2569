import type { DescService } from "@bufbuild/protobuf";
import { type ConnectRouter, type ConnectRouterOptions, createConnectRouter } from "@connectrpc/connect";
import { compressionGzip } from "@connectrpc/connect-node";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { ServerReflection } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { enforceSignal } from "./deadline.ts";
import { mapErrors } from "./errors.ts";
import { type Authenticate, createGate } from "./gate.ts";
import type { HealthState } from "./health.ts";
import { defaultLimits, type ServerLimits } from "./limits.ts";
import { observe } from "./observe.ts";
import { registerReflection } from "./reflection.ts";

/** Registers services. */
export type Routes = (router: ConnectRouter) => void;

export interface RouterInit {
  readonly authenticate: Authenticate;
  readonly limits?: ServerLimits;
  /** Aborts with a ConnectError when running calls must end. */
  readonly shutdownSignal?: AbortSignal;
}

/** How every RPC is run, over a network or in memory (createRouterTransport's `router`). */
export function createRouterOptions(init: RouterInit): ConnectRouterOptions {
  const { authenticate, limits = defaultLimits, shutdownSignal } = init;
  return {
    acceptCompression: [compressionGzip],
    // A misspelt field is never ignored; Connect's default is to.
    jsonOptions: { ignoreUnknownFields: false },
    readMaxBytes: limits.readMaxBytes,
    writeMaxBytes: limits.writeMaxBytes,
    maxTimeoutMs: limits.maxTimeoutMs,
    requestGate: createGate(authenticate),
    interceptors: [observe, mapErrors, enforceSignal],
    ...(shutdownSignal === undefined ? {} : { shutdownSignal }),
  };
}

/** The RPCs by request path: the given services, health and reflection. */
export function createHandlers(
  routes: Routes,
  options: ConnectRouterOptions,
  health: HealthState,
): ReadonlyMap<string, UniversalHandler> {
  const router = createConnectRouter(options);
  routes(router);
  health.register(router, new Set(servicesOf(router).map(({ typeName }) => typeName)));
  registerReflection(router, [...servicesOf(router), ServerReflection]);
  return new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
}

function servicesOf(router: ConnectRouter): readonly DescService[] {
  return [...new Set(router.handlers.map(({ service }) => service))];
}
