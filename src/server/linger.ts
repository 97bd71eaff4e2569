import type { Socket } from "node:net";

/**
 * Gives the client `lingerMs` to read an answer that ends its connection (RFC 9112 §9.6). Node closes the socket as
 * soon as the answer is written; if the client still sends, the kernel then answers with a reset, which makes many
 * clients drop the answer: an early refusal of an upload would look like a broken network.
 *
 * Nothing more is read meanwhile, so that a client that does not listen cannot go on uploading.
 */
export function lingerOnClose(socket: Socket, lingerMs: number): void {
  socket.destroySoon = () => {
    if (socket.destroyed || socket.writableEnded) return;
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once("end", () => socket.destroy());
    socket.once("close", () => clearTimeout(timer));
    socket.end();
  };
}
