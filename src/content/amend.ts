import { DescryError, type ErrorOptions } from "../oci/errors.ts";

/** The same error, with more said about it by someone who knows more. */
export function amend(error: DescryError, more: ErrorOptions): DescryError {
  const { reason, message, code, op, ref, digest, side, metadata, violations, retryAfter, platforms } = error;
  return new DescryError(reason, message, {
    code,
    metadata,
    violations,
    platforms,
    ...(op === undefined ? {} : { op }),
    ...(ref === undefined ? {} : { ref }),
    ...(digest === undefined ? {} : { digest }),
    ...(side === undefined ? {} : { side }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...more,
    cause: error,
  });
}
