import type { ContentKind } from "../oci/descriptor.ts";
import type { Algorithm } from "../oci/digest.ts";
import type { TransferOptions } from "./options.ts";
import type { TagCondition } from "./results.ts";
import type { ContentName } from "./source.ts";

export interface PushOptions extends TransferOptions {
  /** Needed for streams; computed for what can be read twice. */
  readonly descriptor?: ContentName;
  /** Media type of a descriptor that is computed. A manifest needs one; a blob may go without. */
  readonly mediaType?: string;
  /** Algorithm of a digest that is computed. Default sha256. */
  readonly algorithm?: Algorithm;
  /** Manifest or blob, where the media type does not tell. */
  readonly kind?: ContentKind;
  /** What the tag must be for it to be set. */
  readonly ifCurrent?: TagCondition;
}
