import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { ServerLimits } from "./limits.ts";

/** The HTTP/2 connections of a listener. */
export interface Sessions {
  /** Takes no new streams (GOAWAY); each connection ends with its last stream. */
  close(): void;
  /** Ends all connections now. */
  destroy(): void;
}

/** Sizes the windows of each HTTP/2 connection, ends those that idle, and keeps count of them for a drain. */
export function trackSessions(server: Http2Server, limits: ServerLimits): Sessions {
  const sessions = new Set<ServerHttp2Session>();
  let closing = false;
  server.on("session", (session) => {
    sessions.add(session);
    session.setLocalWindowSize(limits.connectionWindowBytes);
    // Counted in streams, not in bytes on the socket: a client that drips a header or pings forever is idle as well.
    let streams = 0;
    let timer = setTimeout(() => session.destroy(), limits.headersTimeoutMs);
    const idle = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        session.close();
        // A header block that was begun and never ended keeps a closed session open.
        timer = setTimeout(() => session.destroy(), limits.lingerMs);
      }, limits.sessionIdleMs);
    };
    session.once("remoteSettings", () => {
      if (streams === 0) idle();
    });
    session.on("stream", (stream) => {
      streams++;
      clearTimeout(timer);
      // Once it is answered nobody reads on, and Node keeps a stream open until its body has been read to the end.
      stream.once("finish", () => stream.removeAllListeners("data").resume());
      stream.once("close", () => {
        streams--;
        if (streams === 0 && !session.destroyed) idle();
      });
    });
    session.once("close", () => {
      clearTimeout(timer);
      sessions.delete(session);
    });
    if (closing) session.close();
  });
  return {
    close: () => {
      closing = true;
      for (const session of sessions) session.close();
    },
    destroy: () => {
      for (const session of sessions) session.destroy();
    },
  };
}
