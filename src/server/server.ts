import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { DescryError } from "../oci/errors.ts";
import type { Log } from "./access-log.ts";
import { checkExposure, type ListenAddress } from "./address.ts";
import { toConnectError } from "./errors.ts";
import { createFront } from "./front.ts";
import type { Authenticate } from "./gate.ts";
import { createHandler } from "./handler.ts";
import { createHealth } from "./health.ts";
import { createHostRule } from "./hosts.ts";
import { defaultLimits, type ServerLimits } from "./limits.ts";
import { listen, type Listener, type TlsOptions } from "./listen.ts";
import { createHandlers, createRouterOptions, type Routes } from "./router.ts";

export interface ServerOptions {
  /** At least one. */
  readonly listen: readonly ListenAddress[];
  /** Registers the services. */
  readonly routes: Routes;
  readonly authenticate: Authenticate;
  /** Callers are configured: `authenticate` refuses strangers. Default: false. */
  readonly callers?: boolean;
  /** Addresses that other machines reach may be opened without callers. Default: false. */
  readonly insecureAllowAnonymous?: boolean;
  /** Needed for https addresses. */
  readonly tls?: TlsOptions;
  /** Host names the server answers to, besides loopback's and those of its addresses. */
  readonly allowedHosts?: readonly string[];
  /** Origins of web pages that may call (`https://console.example`). None: no web page may. */
  readonly allowedOrigins?: readonly string[];
  /** What differs from `defaultLimits`. */
  readonly limits?: Partial<ServerLimits>;
  /** Takes the log, a line at a time. Must not throw. Default: nowhere. */
  readonly log?: Log;
  /** Milliseconds since 1970. Default: Date.now. */
  readonly clock?: () => number;
  /** Default: a random UUID. */
  readonly newRequestId?: () => string;
}

/** A running server. */
export interface DescryServer {
  /** The addresses as URLs, in the order asked for, with the ports that were given. */
  readonly addresses: readonly string[];
  /** What /readyz and grpc.health.v1 say. A server starts ready. */
  setReady(ready: boolean): void;
  /**
   * Ends in good order, and resolves when every connection has ended: says NOT_SERVING, takes no connection and no
   * stream any more, gives running calls `drainMs`, aborts the rest with UNAVAILABLE (DRAINING), and cuts what is left
   * after `abortGraceMs`. Calling it again waits for the same end.
   */
  drain(): Promise<void>;
}

/** Starts a server. Throws FIELD_INVALID for an address that cannot or must not be listened on; nothing is left open then. */
export async function startServer(options: ServerOptions): Promise<DescryServer> {
  const limits: ServerLimits = { ...defaultLimits, ...options.limits };
  const log = options.log ?? (() => undefined);
  const clock = options.clock ?? Date.now;
  checkExposure(options.listen, {
    callers: options.callers === true,
    insecureAllowAnonymous: options.insecureAllowAnonymous === true,
  });

  const health = createHealth();
  const shutdown = new AbortController();
  let draining: Promise<void> | undefined;
  const routerOptions = createRouterOptions({
    authenticate: options.authenticate,
    limits,
    shutdownSignal: shutdown.signal,
  });
  const handle = createHandler({
    handlers: createHandlers(options.routes, routerOptions, health),
    front: createFront({ origins: new Set(options.allowedOrigins), isReady: () => health.serving }),
    limits,
    isDraining: () => draining !== undefined,
    log,
    clock,
    newRequestId: options.newRequestId ?? randomUUID,
  });

  const listeners: Listener[] = [];
  try {
    for (const address of options.listen) {
      const hosts = createHostRule(address, options.allowedHosts ?? []);
      const handler = handle({ unix: address.kind === "unix", hosts });
      const onBadRequest = (code: string, peer: string): void =>
        log({ event: "bad_request", time: new Date(clock()).toISOString(), code, peer });
      const { tls } = options;
      listeners.push(await listen(address, { handler, limits, onBadRequest, ...(tls === undefined ? {} : { tls }) }));
    }
  } catch (error) {
    for (const listener of listeners) listener.close();
    for (const listener of listeners) listener.destroy();
    await Promise.all(listeners.map(({ closed }) => closed));
    throw error;
  }
  return {
    addresses: listeners.map(({ url }) => url),
    setReady: (ready) => health.setServing(ready),
    drain: () => {
      draining ??= (async () => {
        health.end();
        await end(listeners, shutdown, limits);
      })();
      return draining;
    },
  };
}

async function end(listeners: readonly Listener[], shutdown: AbortController, limits: ServerLimits): Promise<void> {
  const closed = Promise.all(listeners.map((listener) => listener.closed));
  for (const listener of listeners) listener.close();
  if (await within(closed, limits.drainMs)) return;
  const reason = new DescryError("DRAINING", "this server is shutting down: try another, or later");
  shutdown.abort(toConnectError(reason, { op: "", requestId: "" }));
  if (await within(closed, limits.abortGraceMs)) return;
  for (const listener of listeners) listener.destroy();
  await closed;
}

/** Whether it comes to an end in time. */
async function within(end: Promise<unknown>, ms: number): Promise<boolean> {
  const stop = new AbortController();
  const late = sleep(ms, false, { signal: stop.signal }).catch(() => true);
  const inTime = await Promise.race([end.then(() => true), late]);
  stop.abort();
  return inTime;
}
