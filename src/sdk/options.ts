import type { Transport } from "@connectrpc/connect";

/** How a client reaches a server and who it is there. */
export type DescryOptions = (
  | {
      /** URL of the server: http://host:port or https://host:port; on Node also unix:///path. */
      readonly baseUrl: string;
    }
  | {
      /** A transport of your own, of Connect, gRPC or gRPC-Web. It must be able to stream requests. */
      readonly transport: Transport;
    }
) &
  ClientOptions;

/** Docker's AuthConfig: credentials for one registry. */
export interface RegistryCredentials {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
  /** Host they are meant for. Default: the host of the call's reference. */
  readonly serveraddress?: string;
}

/** Credentials for one registry, or for several by host. */
export type RegistryAuth = RegistryCredentials | { readonly hosts: Readonly<Record<string, RegistryCredentials>> };

export interface ClientOptions {
  /** The caller's right to use the server, sent as `Authorization: Bearer`. */
  readonly token?: string;
  /** The caller's credentials for one registry, or for several by host. The server uses them for these calls only. */
  readonly registryAuth?: RegistryAuth;
  /** More headers for each call. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default of {@link CallOptions.timeoutMs}, for calls that are no streams. */
  readonly timeoutMs?: number;
  /** Cancels every call of this client. */
  readonly signal?: AbortSignal;
  /** Default of {@link TransferOptions.resume}. */
  readonly resume?: Resume | false;
}

/** Options of every call. */
export interface CallOptions {
  /** Cancels the call. It fails with code `canceled` and the signal's reason as cause. */
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole call, resumed attempts included. Default: the client's; none for streams. */
  readonly timeoutMs?: number;
  /** More headers, over the client's. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** When to go on after a connection broke in the middle of a stream. */
export interface Resume {
  /** Attempts in a row that bring no byte forward. Default 5. */
  readonly attempts?: number;
  /** Milliseconds before the second such attempt, doubled for each further one. The first comes at once. Default 100. */
  readonly delayMs?: number;
}

/** How far the bytes of one piece of content are. */
export interface TransferProgress {
  readonly digest: string;
  /** Bytes done, from the start of the content: a resumed transfer starts above 0. */
  readonly offset: number;
  /** Size of the content. */
  readonly total: number;
}

/** Options of every call that moves bytes through this client. */
export interface TransferOptions extends CallOptions {
  /** Called after each message. It must not throw. */
  readonly onProgress?: (progress: TransferProgress) => void;
  /** Default: go on after a break, as {@link Resume} says. False: fail. */
  readonly resume?: Resume | false;
}

/** How current an answer has to be. */
export interface FreshnessOptions {
  /** Milliseconds: the oldest answer to take, for a reference by tag. 0 asks the registry now. Default: the server's. */
  readonly maxAgeMs?: number;
  /** Never ask a registry; what the server does not have is NOT_CACHED. */
  readonly onlyCached?: boolean;
  /** Pin that decides what the reference names. */
  readonly pinId?: string;
}
