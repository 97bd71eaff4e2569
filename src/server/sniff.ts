import type { Socket } from "node:net";

/** The first bytes of an HTTP/2 connection (RFC 9113 §3.4); no HTTP/1.1 method starts so. */
const PREFACE_START = Buffer.from("PRI ");

/** Which protocol a plaintext connection speaks. */
export type Spoken = "http/1.1" | "h2";

/**
 * Tells by a connection's first bytes which protocol it speaks, and leaves them to be read again. A connection that
 * does not say enough within `timeoutMs` is destroyed, as is one that fails or ends before.
 */
export function sniff(socket: Socket, timeoutMs: number, accept: (spoken: Spoken) => void): void {
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  let seen = Buffer.alloc(0);
  const stop = (): void => {
    clearTimeout(timer);
    socket.off("readable", read);
    socket.off("end", end);
    socket.off("close", stop);
  };
  const end = (): void => void socket.destroy();
  const read = (): void => {
    const chunk: unknown = socket.read();
    if (!(chunk instanceof Buffer)) return;
    seen = Buffer.concat([seen, chunk]);
    const start = seen.subarray(0, PREFACE_START.length);
    const isPreface = start.equals(PREFACE_START.subarray(0, start.length));
    if (isPreface && seen.length < PREFACE_START.length) return;
    stop();
    socket.unshift(seen);
    accept(isPreface ? "h2" : "http/1.1");
  };
  socket.on("readable", read);
  socket.on("end", end);
  socket.on("close", stop);
}
