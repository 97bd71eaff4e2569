import type { Transport } from "@connectrpc/connect";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-connect";
import { incomingKey, outgoingKey } from "../../wire/keys.ts";

/** Bytes of one message, as much as connect's own transports allow: the server's limits are what counts. */
const MAX_MESSAGE_BYTES = 0xffffffff;

/**
 * Streams by Connect in binary, whose bytes pass encoder and decoder by where the call's context values say so
 * (src/wire). Blobs are compressed already: asking for gzip would only burn both sides' CPU.
 */
export function createStreamTransport(baseUrl: string, httpClient: UniversalClientFn): Pick<Transport, "stream"> {
  return {
    stream: async (method, signal, timeoutMs, header, input, contextValues) => {
      const outgoing = contextValues?.get(outgoingKey);
      const incoming = contextValues?.get(incomingKey);
      const transport = createTransport({
        baseUrl,
        httpClient: async ({ body, ...request }) => {
          const sent = body === undefined || outgoing === undefined ? body : outgoing.join(body);
          const response = await httpClient(sent === undefined ? request : { ...request, body: sent });
          // An error's body is no stream of envelopes.
          if (incoming === undefined || response.status !== 200) return response;
          return { ...response, body: incoming.split(response.body) };
        },
        useBinaryFormat: true,
        interceptors: [],
        acceptCompression: [],
        sendCompression: null,
        compressMinBytes: 0,
        readMaxBytes: MAX_MESSAGE_BYTES,
        writeMaxBytes: MAX_MESSAGE_BYTES,
      });
      return await transport.stream(method, signal, timeoutMs, header, input, contextValues);
    },
  };
}
