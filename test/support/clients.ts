import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { connect } from "node:net";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { ContentService } from "../../src/gen/descry/v1/content_service_pb.ts";
import type { TestServer } from "./server.ts";
import { testTls } from "./tls.ts";

/** A client of one wire, and how to let go of its connections. */
export interface WireClient {
  readonly transport: Transport;
  readonly content: Client<typeof ContentService>;
  close(): void;
}

/** A way to talk to a server: protocol, encoding, HTTP version, kind of address. */
export interface Wire {
  readonly name: string;
  readonly http: "1.1" | "2.0";
  /** As the access log names it. */
  readonly protocol: "connect" | "grpc" | "grpc-web";
  open(server: Pick<TestServer, "http" | "https" | "unix">): WireClient;
}

type Address = "http" | "https" | "unix";
type Protocol = Wire["protocol"];

const transports = {
  connect: createConnectTransport,
  grpc: createGrpcTransport,
  "grpc-web": createGrpcWebTransport,
} as const;

function wire(protocol: Protocol, version: "1.1" | "2", address: Address, useBinaryFormat = true): Wire {
  const format = useBinaryFormat ? "" : " JSON";
  return {
    name: `${protocol}${format} over HTTP/${version} at ${address}`,
    http: version === "2" ? "2.0" : "1.1",
    protocol,
    open: (server) => {
      const baseUrl = address === "unix" ? "http://localhost" : server[address];
      const socketPath = server.unix.slice("unix://".length);
      return version === "2"
        ? open2(protocol, baseUrl, address === "unix" ? socketPath : undefined, useBinaryFormat)
        : open1(protocol, baseUrl, address === "unix" ? socketPath : undefined, useBinaryFormat);
    },
  };
}

function open1(protocol: Protocol, baseUrl: string, socketPath: string | undefined, binary: boolean): WireClient {
  const agent = baseUrl.startsWith("https:")
    ? new HttpsAgent({ keepAlive: true, ca: testTls.cert })
    : new HttpAgent({ keepAlive: true });
  const transport = transports[protocol]({
    baseUrl,
    httpVersion: "1.1",
    useBinaryFormat: binary,
    nodeOptions: { agent, ...(socketPath === undefined ? {} : { socketPath }) },
  });
  return { transport, content: createClient(ContentService, transport), close: () => agent.destroy() };
}

function open2(protocol: Protocol, baseUrl: string, socketPath: string | undefined, binary: boolean): WireClient {
  const sessionManager = new Http2SessionManager(
    baseUrl,
    {},
    socketPath === undefined ? { ca: testTls.cert } : { createConnection: () => connect(socketPath) },
  );
  const transport = transports[protocol]({ baseUrl, httpVersion: "2", useBinaryFormat: binary, sessionManager });
  return { transport, content: createClient(ContentService, transport), close: () => sessionManager.abort() };
}

/** Every way that a client has. */
export const wires: readonly Wire[] = [
  wire("connect", "1.1", "http", false),
  wire("connect", "1.1", "http"),
  wire("connect", "2", "http"),
  wire("connect", "2", "http", false),
  wire("grpc", "2", "http"),
  wire("grpc-web", "1.1", "http"),
  wire("grpc-web", "2", "http"),
  wire("connect", "1.1", "https"),
  wire("connect", "2", "https"),
  wire("grpc", "2", "https"),
  wire("connect", "1.1", "unix"),
  wire("connect", "2", "unix"),
  wire("grpc", "2", "unix"),
];
