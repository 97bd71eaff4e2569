import type { Digest } from "./digest.ts";
import type { Platform } from "./platform.ts";

/** Connect codes in their wire spelling. */
export type Code =
  | "canceled"
  | "unknown"
  | "invalid_argument"
  | "deadline_exceeded"
  | "not_found"
  | "already_exists"
  | "permission_denied"
  | "resource_exhausted"
  | "failed_precondition"
  | "aborted"
  | "out_of_range"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "data_loss"
  | "unauthenticated";

/**
 * Reasons and the code each comes with: ErrorReason of proto/descry/v1/errors.proto without its prefix.
 * DIGEST_MISMATCH and SIZE_MISMATCH are listed as on a push; a fetch overrides them with data_loss.
 */
const codes = {
  CALLER_UNAUTHENTICATED: "unauthenticated",
  CALLER_DENIED: "permission_denied",
  REGISTRY_UNAUTHENTICATED: "unauthenticated",
  REGISTRY_DENIED: "permission_denied",
  EGRESS_DENIED: "permission_denied",
  FIELD_INVALID: "invalid_argument",
  NOT_A_REFERENCE: "invalid_argument",
  NOT_AN_IMAGE_ID: "invalid_argument",
  DIGEST_UNSUPPORTED: "invalid_argument",
  DIGEST_MISMATCH: "invalid_argument",
  SIZE_MISMATCH: "invalid_argument",
  PAGE_TOKEN_INVALID: "invalid_argument",
  MANIFEST_INVALID: "invalid_argument",
  REPOSITORY_UNKNOWN: "not_found",
  TAG_UNKNOWN: "not_found",
  CONTENT_UNKNOWN: "not_found",
  NOT_CACHED: "not_found",
  IMAGE_UNKNOWN: "not_found",
  PIN_UNKNOWN: "not_found",
  CONTENT_TOO_LARGE: "failed_precondition",
  CHILD_MISSING: "failed_precondition",
  PLATFORM_AMBIGUOUS: "failed_precondition",
  PLATFORM_UNKNOWN: "not_found",
  NOT_AN_IMAGE: "failed_precondition",
  TAG_PROTECTED: "failed_precondition",
  PIN_LOST: "failed_precondition",
  TAG_CHANGED: "aborted",
  OFFSET_MISMATCH: "aborted",
  RANGE_INVALID: "out_of_range",
  CURSOR_EXPIRED: "out_of_range",
  RATE_LIMITED: "resource_exhausted",
  STORAGE_FULL: "resource_exhausted",
  REGISTRY_UNAVAILABLE: "unavailable",
  DRAINING: "unavailable",
  REGISTRY_UNSUPPORTED: "unimplemented",
  STORE_CORRUPT: "data_loss",
  INTERNAL: "internal",
  UNSUPPORTED: "unimplemented",
  ALIAS_CYCLE: "failed_precondition",
  ALIAS_TOO_DEEP: "failed_precondition",
  TAG_UNRESOLVED: "not_found",
  LABEL_MISMATCH: "failed_precondition",
  TAG_DATA_INVALID: "invalid_argument",
  TAG_DATA_UNTRUSTED: "permission_denied",
  TAG_DATA_ROLLBACK: "failed_precondition",
} as const satisfies Record<string, Code>;

export type Reason = keyof typeof codes;

export function isReason(text: string): text is Reason {
  return Object.hasOwn(codes, text);
}

/** One broken rule of a request (google.rpc.BadRequest). */
export interface FieldViolation {
  /** Path of the field in the request: `desc.digest`, `descs[3].size`. */
  readonly field: string;
  readonly description: string;
}

export interface ErrorOptions {
  /** Overrides the reason's code. */
  readonly code?: Code;
  /** RPC or operation that failed. */
  readonly op?: string;
  readonly ref?: string;
  readonly digest?: Digest;
  /** Which side failed. */
  readonly side?: "source" | "target" | "store";
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly FieldViolation[];
  /** Milliseconds until the same call may succeed. */
  readonly retryAfter?: number;
  /** What could have been chosen (PLATFORM_AMBIGUOUS, PLATFORM_UNKNOWN). */
  readonly platforms?: readonly Platform[];
  readonly cause?: unknown;
}

/**
 * The one error of descry. It is mapped once to the wire (server/errors.ts), once back
 * (sdk/errors.ts) and once to exit codes (cli/exit.ts). `reason` is undefined only for what never
 * reached a service: a time-out, a cancelled call, a broken connection.
 */
export class DescryError extends Error {
  override readonly name = "DescryError";
  readonly reason: Reason | undefined;
  readonly code: Code;
  readonly op: string | undefined;
  readonly ref: string | undefined;
  readonly digest: ErrorOptions["digest"] | undefined;
  readonly side: ErrorOptions["side"] | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
  readonly retryAfter: number | undefined;
  readonly platforms: readonly Platform[];

  constructor(reason: Reason | undefined, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.code = options.code ?? (reason === undefined ? "unknown" : codes[reason]);
    this.op = options.op;
    this.ref = options.ref;
    this.digest = options.digest;
    this.side = options.side;
    this.metadata = options.metadata ?? {};
    this.violations = options.violations ?? [];
    this.retryAfter = options.retryAfter;
    this.platforms = options.platforms ?? [];
  }

  /** A request that breaks one rule. */
  static field(field: string, description: string): DescryError {
    return DescryError.fields([{ field, description }]);
  }

  /** A request that breaks several rules; `violations` is not empty. */
  static fields(violations: readonly FieldViolation[]): DescryError {
    const text = violations.map((v) => `${v.field}: ${v.description}`).join("; ");
    return new DescryError("FIELD_INVALID", text, { violations });
  }
}
