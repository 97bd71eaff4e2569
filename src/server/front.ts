import { type Exchange, refuse, send } from "./answer.ts";
import { allowOrigin, answersPreflight, isForeign } from "./cors.ts";
import type { HostRule } from "./hosts.ts";
import type { Target } from "./target.ts";

export interface FrontOptions {
  /** Origins of web pages that may call, as browsers spell them: `https://console.example`. */
  readonly origins: ReadonlySet<string>;
  /** Whether calls can be served now. */
  readonly isReady: () => boolean;
}

/** Answers a request that must not or need not reach an RPC. True: it was answered. */
export type Front = (exchange: Exchange, target: Target, hosts: HostRule) => boolean;

/** What stands before the RPCs: no foreign web page passes, and probes are answered. */
export function createFront({ origins, isReady }: FrontOptions): Front {
  return (exchange, target, hosts) => {
    if (!hosts(target.host)) {
      refuse(exchange, {
        status: 421,
        code: "permission_denied",
        reason: "HOST_NOT_ALLOWED",
        message: `this server does not answer to the host ${JSON.stringify(target.host)}: use its address, or have the name allowed in its configuration`,
      });
      return true;
    }
    if (isForeign(exchange, origins)) {
      refuse(exchange, {
        status: 403,
        code: "permission_denied",
        reason: "ORIGIN_NOT_ALLOWED",
        message: "web pages of this origin may not call this server: have the origin allowed in its configuration",
      });
      return true;
    }
    if (origins.size > 0) {
      allowOrigin(exchange);
      if (answersPreflight(exchange)) return true;
    }
    if (target.path === "/healthz") return answerProbe(exchange, true);
    if (target.path === "/readyz") return answerProbe(exchange, isReady());
    return false;
  };
}

/** /healthz: the process lives. /readyz: it takes calls. */
function answerProbe(exchange: Exchange, well: boolean): true {
  const { method } = exchange.request;
  if (method === "GET" || method === "HEAD") {
    exchange.call.outcome = { code: well ? "ok" : "unavailable" };
    const headers = { "Content-Type": "text/plain", "Cache-Control": "no-store" };
    send(exchange, well ? 200 : 503, headers, well ? "ok\n" : "not ready\n");
  } else {
    const headers = { Allow: "GET, HEAD" };
    refuse(exchange, {
      status: 405,
      code: "unknown",
      reason: "METHOD_NOT_ALLOWED",
      message: "use GET or HEAD",
      headers,
    });
  }
  return true;
}
