import { once } from "node:events";
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions } from "node:http";
import { connect, type Socket } from "node:net";
import { collect } from "./bytes.ts";

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

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A request with any header, Host and Origin too, which fetch would not send. */
export async function ask(
  url: string,
  options: Pick<RequestOptions, "method" | "headers" | "socketPath" | "agent"> = {},
  body = "",
): Promise<Answer> {
  const sent = httpRequest(url, { ...options, agent: options.agent ?? false });
  sent.end(body);
  const [response]: IncomingMessage[] = await once(sent, "response");
  if (response === undefined) throw new Error("no response");
  const received = Buffer.from(await collect(response));
  return { status: response.statusCode ?? 0, headers: response.headers, body: received.toString() };
}
