import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../gen/grpc/health/v1/health_pb.ts";

/** Whether this server takes calls, and grpc.health.v1 over it. */
export interface HealthState {
  readonly serving: boolean;
  setServing(serving: boolean): void;
  /** Not serving from now on: tells those who watch, and ends their streams so that they hold up no drain. */
  end(): void;
  /** Serves grpc.health.v1.Health. The names are those a client can ask for, besides "" for the whole server. */
  register(router: ConnectRouter, names: ReadonlySet<string>): void;
}

export function createHealth(): HealthState {
  let serving = true;
  let ended = false;
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const change = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      waiting.add(resolve);
      signal.addEventListener("abort", () => void (waiting.delete(resolve) && resolve()), { once: true });
    });
  const status = (): Status => (serving ? Status.SERVING : Status.NOT_SERVING);
  return {
    get serving() {
      return serving;
    },
    setServing: (next) => {
      serving = next && !ended;
      wake();
    },
    end: () => {
      serving = false;
      ended = true;
      wake();
    },
    register: (router, names) => {
      const isKnown = (service: string): boolean => service === "" || names.has(service);
      router.service(Health, {
        check: ({ service }) => {
          if (!isKnown(service)) throw new ConnectError(`no service ${JSON.stringify(service)} here`, Code.NotFound);
          return { status: status() };
        },
        async *watch({ service }, { signal }) {
          let told: Status | undefined;
          while (!signal.aborted) {
            const now = isKnown(service) ? status() : Status.SERVICE_UNKNOWN;
            if (now !== told) {
              told = now;
              yield { status: now };
            } else if (ended) {
              return;
            } else {
              await change(signal);
            }
          }
        },
      });
    },
  };
}
