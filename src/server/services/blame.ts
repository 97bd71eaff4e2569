import { amend } from "../../content/amend.ts";
import { DescryError, type Reason } from "../../oci/errors.ts";

/** The field of a request that a reason speaks of. */
export type Blame = Partial<Readonly<Record<Reason, string>>>;

/** Waits for work; where it refuses what the caller sent, says which field that was (errors.proto, BadRequest). */
export async function blaming<T>(fields: Blame, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DescryError) || error.code !== "invalid_argument" || error.violations.length > 0)
      throw error;
    const field = error.reason === undefined ? undefined : fields[error.reason];
    throw field === undefined ? error : amend(error, { violations: [{ field, description: error.message }] });
  }
}
