import { TransferState } from "../gen/descry/v1/types_pb.ts";
import type { ContentKind } from "../oci/descriptor.ts";
import { type Context, startCall } from "./call.ts";
import type { CallOptions } from "./options.ts";
import type { CopyProgress, Receipt, TagCondition } from "./results.ts";
import type { ContentName } from "./source.ts";
import {
  broken,
  conditionToWire,
  descriptorFromWire,
  descriptorToWire,
  kindToWire,
  receiptFromWire,
  sizeFromWire,
  someTime,
} from "./values.ts";

export interface CopyOptions extends CallOptions {
  /** Content of the source repository. Default: the one manifest that the source reference names. */
  readonly descriptor?: ContentName;
  readonly kind?: ContentKind;
  /** What the target's tag must be for it to be set. */
  readonly ifCurrent?: TagCondition;
  /** Pin that decides what the source reference names. */
  readonly pinId?: string;
  /** Called at most 5 times a second, and on each change of state. It must not throw. */
  readonly onProgress?: (progress: CopyProgress) => void;
}

const states: Readonly<Record<number, CopyProgress["state"]>> = {
  [TransferState.WAITING]: "waiting",
  [TransferState.RUNNING]: "running",
  [TransferState.COMMITTING]: "committing",
  [TransferState.DONE]: "done",
  [TransferState.EXISTED]: "existed",
  [TransferState.MOUNTED]: "mounted",
};

/** Copies one piece of content from repository to repository; its bytes do not pass through this client. */
export async function copy(
  context: Context,
  source: string,
  target: string,
  options: CopyOptions = {},
): Promise<Receipt> {
  const { descriptor, pinId = "" } = options;
  const call = startCall(context, options);
  const fields = {
    sourceRef: source,
    targetRef: target,
    ...(descriptor === undefined ? {} : { desc: descriptorToWire(descriptor) }),
    ...conditionToWire(options.ifCurrent),
    kind: kindToWire(options.kind),
    pinId,
  };
  try {
    for await (const { part } of context.wire.copy(fields, call.request())) {
      if (part.case === "receipt") return receiptFromWire(part.value);
      if (part.case === "progress")
        options.onProgress?.({
          desc: descriptorFromWire(part.value.desc),
          state: states[part.value.state] ?? "unknown",
          offset: sizeFromWire(part.value.offset),
          ...someTime("waitsUntil", part.value.waitsUntil),
        });
    }
    return broken("a copy without a receipt");
  } catch (thrown) {
    throw call.failure(thrown);
  } finally {
    call.end();
  }
}
