import * as http from "node:http";
import * as https from "node:https";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport, createNodeHttpClient } from "@connectrpc/connect-node";
import type { Channel } from "./channel.ts";
import { openHttp2 } from "./node/http2.ts";
import { createStreamTransport } from "./node/stream-transport.ts";
import { whenEnded } from "./node/when-ended.ts";
import { type Endpoint, type NodeChannelOptions, parseEndpoint } from "./node/endpoint.ts";

/**
 * The transport port on Node (package import `#transport`): Connect in binary, over http://, https:// and unix://
 * URLs. HTTP/1.1 unless asked otherwise: with Node's default HTTP/2 windows it moves bulk bytes far faster.
 */
export function openChannel(baseUrl: string, options: NodeChannelOptions = {}): Channel {
  const endpoint = parseEndpoint(baseUrl, options.tls);
  return options.httpVersion === "2" ? openHttp2(endpoint) : openHttp1(endpoint);
}

function openHttp1(endpoint: Endpoint): Channel {
  const { baseUrl } = endpoint;
  const agent = newAgent(endpoint);
  const answers = createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions: connectionOf(endpoint, agent) });
  const streams = streamTransport(endpoint, agent);
  const transport: Transport = {
    unary: (...call) => answers.unary(...call),
    stream: async (method, ...call) => {
      if (method.methodKind !== "client_streaming") return streams.stream(method, ...call);
      // An early answer leaves the request unfinished, and connect-node 2.2 then leaves its socket open for good
      // (sinkRequest stops without ending it). So each pushed stream gets a connection of its own. It says keep-alive,
      // because a server that closes after its answer resets the connection, and the answer may be lost with it.
      const own = newAgent(endpoint);
      try {
        const response = await streamTransport(endpoint, own).stream(method, ...call);
        return { ...response, message: whenEnded(response.message, () => own.destroy()) };
      } catch (error) {
        own.destroy();
        throw error;
      }
    },
  };
  return { transport, streamsRequests: true, splices: true, close: () => agent.destroy() };
}

function newAgent(endpoint: Endpoint): http.Agent {
  return endpoint.secure ? new https.Agent({ keepAlive: true, ...endpoint.tls }) : new http.Agent({ keepAlive: true });
}

function streamTransport(endpoint: Endpoint, agent: http.Agent): Pick<Transport, "stream"> {
  const httpClient = createNodeHttpClient({ httpVersion: "1.1", nodeOptions: connectionOf(endpoint, agent) });
  return createStreamTransport(endpoint.baseUrl, httpClient);
}

function connectionOf({ socketPath }: Endpoint, agent: http.Agent): http.RequestOptions {
  return { agent, ...(socketPath === undefined ? {} : { socketPath }) };
}
