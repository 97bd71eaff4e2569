import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CallOptions, type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { createAuthenticator } from "../../src/config/authenticator.ts";
import type { CallerEntry } from "../../src/config/callers.ts";
import { createEmbeddedRegistry } from "../../src/content/embedded.ts";
import { createContent } from "../../src/content/router.ts";
import { ContentService } from "../../src/gen/descry/v1/content_service_pb.ts";
import { BadRequestSchema, ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { contentRoutes } from "../../src/server/services/content.ts";
import { openStore } from "../../src/store/disk/index.ts";
import type { FileSystem } from "../../src/store/disk/file-system.ts";
import type { Store } from "../../src/store/store.ts";
import { sha256 } from "./memory-registry.ts";
import { startTestServer, type TestServer } from "./server.ts";

/** ContentService over the embedded registry on a disk, as `descry serve` has it, with its innards at hand. */
export interface ContentServer extends Pick<TestServer, "http" | "https" | "unix" | "lines"> {
  readonly store: Store;
  /** The store's directory. */
  readonly directory: string;
  /** A client with a caller's token, or none. */
  client(token?: string): Client<typeof ContentService>;
  /** Makes the bytes of some content go bad on its disk. */
  spoil(digest: string): Promise<void>;
  stop(): Promise<void>;
}

export interface ContentServerOptions {
  /** What each caller may do, by token; the token is the caller's name. None: everybody may do everything. */
  readonly callers?: Readonly<Record<string, CallerEntry["allow"]>>;
  readonly fileSystem?: FileSystem;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
}

export async function startContentServer(options: ContentServerOptions = {}): Promise<ContentServer> {
  const { callers = {}, fileSystem, clock = Date.now } = options;
  const directory = await mkdtemp(join(tmpdir(), "descry-content-"));
  const store = await openStore(directory, { clock, ...(fileSystem === undefined ? {} : { fileSystem }) });
  const entries = Object.entries(callers).map(([name, allow]) => ({
    name,
    tokenSha256: sha256(new TextEncoder().encode(name)).slice("sha256:".length),
    allow,
  }));
  const server = await startTestServer({
    routes: contentRoutes(createContent(createEmbeddedRegistry(store, clock))),
    authenticate: createAuthenticator(entries),
    callers: entries.length > 0,
  });
  const { http, https, unix, lines } = server;
  return {
    http,
    https,
    unix,
    lines,
    store,
    directory,
    client: (token) =>
      createClient(
        ContentService,
        createConnectTransport({
          baseUrl: http,
          httpVersion: "1.1",
          interceptors: [
            (next) => (request) => {
              if (token !== undefined) request.header.set("Authorization", `Bearer ${token}`);
              return next(request);
            },
          ],
        }),
      ),
    spoil: async (digest) => {
      const [path = ""] = (await readdir(directory, { recursive: true })).filter((name) =>
        name.endsWith(digest.slice(digest.indexOf(":") + 1)),
      );
      const bytes = await readFile(join(directory, path));
      await writeFile(
        join(directory, path),
        bytes.map((byte) => byte ^ 0xff),
      );
    },
    stop: async () => {
      await server.stop();
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** What an error tells a program. */
export interface Refused {
  /** Connect code in wire spelling. */
  readonly code: string;
  readonly reason: string | undefined;
  /** Paths of the fields at fault. */
  readonly fields: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** How a call was refused; throws if it was not. */
export async function refusal(call: Promise<unknown>): Promise<Refused> {
  const outcome = await call.then(
    (answer) => ({ answer }),
    (error: unknown) => ({ error: ConnectError.from(error) }),
  );
  if ("answer" in outcome) throw new Error(`answered: ${JSON.stringify(outcome.answer, replaceBigInt)}`);
  const { error } = outcome;
  const [info] = error.findDetails(ErrorInfoSchema);
  return {
    code: (Code[error.code] ?? "").replace(/(?<=.)[A-Z]/g, "_$&").toLowerCase(),
    reason: info?.reason,
    fields: error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations.map((v) => v.field)),
    metadata: { ...info?.metadata },
  };
}

function replaceBigInt(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

/** A descriptor of bytes, by Node's sha256. */
export function descriptorOf(bytes: Uint8Array, mediaType = "application/octet-stream") {
  return { mediaType, digest: sha256(bytes), size: BigInt(bytes.byteLength) };
}

export const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const INDEX = "application/vnd.oci.image.index.v1+json";
export const CONFIG = "application/vnd.oci.image.config.v1+json";

export function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** What an index without children needs: bytes that are a manifest of their own for each `name`. */
export function manifestOf(name: string, more: object = {}): Uint8Array<ArrayBuffer> {
  return json({ schemaVersion: 2, mediaType: INDEX, manifests: [], annotations: { name }, ...more });
}

/** Pushes a manifest without children; its digest. */
export async function pushManifest(
  client: Client<typeof ContentService>,
  ref: string,
  bytes: Uint8Array,
  options: CallOptions = {},
): Promise<string> {
  const desc = descriptorOf(bytes, INDEX);
  await client.push({ ref, desc, data: bytes }, options);
  return desc.digest;
}

/** A PushStream's messages: the header, then the bytes of each chunk. */
export async function* pushMessages(
  header: { ref: string; desc: ReturnType<typeof descriptorOf>; offset?: bigint },
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
) {
  yield { part: { case: "header" as const, value: header } };
  for await (const value of chunks) yield { part: { case: "data" as const, value } };
}
