/** What the SDK can do only on Node: unix sockets, HTTP/2, TLS of one's own, files. */
export { createNodeDescry, type NodeDescryOptions } from "./node-descry.ts";
export type { ClientTls } from "./endpoint.ts";
export { fetchToFile } from "./fetch-to-file.ts";
export { fileSource, pushFile } from "./push-file.ts";
