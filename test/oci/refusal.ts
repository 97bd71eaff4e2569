import { DescryError } from "../../src/oci/errors.ts";

/** The DescryError that `run` throws; undefined if it returns. Any other error is passed on: it fails the test. */
export function refusal(run: () => unknown): DescryError | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof DescryError) return error;
    throw error;
  }
}
