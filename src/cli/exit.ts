import { type Code, DescryError, type Reason } from "../oci/errors.ts";

/** Exit codes, a part of the interface: scripts decide by them. */
export const exitCodes = {
  ok: 0,
  /** Anything else that went wrong. */
  failure: 1,
  /** The command line or the configuration is wrong; nothing was done. */
  usage: 2,
  notFound: 3,
  /** Unauthenticated or denied. */
  denied: 4,
  rateLimited: 5,
  /** Unavailable or timed out: worth trying again. */
  unavailable: 6,
  /** Bytes do not match their digest or size, in transit or at rest. */
  corrupt: 7,
  /** There is more than one answer. */
  undecidable: 8,
} as const;

const byCode: Partial<Readonly<Record<Code, number>>> = {
  invalid_argument: exitCodes.usage,
  not_found: exitCodes.notFound,
  unauthenticated: exitCodes.denied,
  permission_denied: exitCodes.denied,
  resource_exhausted: exitCodes.rateLimited,
  unavailable: exitCodes.unavailable,
  deadline_exceeded: exitCodes.unavailable,
  data_loss: exitCodes.corrupt,
};

/** Where the reason says more than its code. */
const byReason: Partial<Readonly<Record<Reason, number>>> = {
  DIGEST_MISMATCH: exitCodes.corrupt,
  SIZE_MISMATCH: exitCodes.corrupt,
  MANIFEST_INVALID: exitCodes.failure,
  STORAGE_FULL: exitCodes.failure,
  PLATFORM_AMBIGUOUS: exitCodes.undecidable,
};

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof DescryError)) return exitCodes.failure;
  const reason = error.reason === undefined ? undefined : byReason[error.reason];
  return reason ?? byCode[error.code] ?? exitCodes.failure;
}

/** A command line that cannot be meant: exit code 2. */
export function usageError(message: string): DescryError {
  return new DescryError("FIELD_INVALID", message);
}
