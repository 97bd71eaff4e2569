import { connect, type Socket } from "node:net";

/** Opens a connection to an http:// URL, for bytes that no HTTP client would send. */
export function dial(url: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  // A reset is an answer too.
  socket.on("error", () => undefined);
  return socket;
}

/** Sends bytes, and resolves with all that came when the server has closed the connection. */
export function talk(url: string, ...parts: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = dial(url);
  const received: Buffer[] = [];
  for (const part of parts) socket.write(part);
  socket.on("data", (chunk: Buffer) => received.push(chunk));
  return new Promise((resolve) => {
    socket.on("close", () => resolve(Buffer.concat(received).toString("latin1")));
  });
}

/** An HTTP/1.1 request after whose answer the server closes. */
export function request(head: string, body = ""): string {
  return `${head.replaceAll("\n", "\r\n")}\r\nConnection: close\r\n\r\n${body}`;
}
