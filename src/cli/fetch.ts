import type { Descry, FetchStreamOptions } from "../sdk/index.ts";
import { fetchToFile } from "../sdk/node/fetch-to-file.ts";
import { usageError } from "./exit.ts";
import { type Io, write } from "./io.ts";
import { createProgress } from "./progress.ts";

export interface FetchFlags {
  readonly digest?: string;
  readonly mediaType?: string;
  readonly output?: string;
  readonly offset?: number;
  readonly length?: number;
}

/** `descry fetch REF` */
export async function fetch(io: Io, descry: Descry, ref: string, flags: FetchFlags): Promise<void> {
  const { output, ...content } = flags;
  const toStdout = output === undefined || output === "-";
  const progress = createProgress(io, toStdout);
  const options: FetchStreamOptions = { ...pick(content), onProgress: progress.update };
  try {
    if (!toStdout) {
      await fetchToFile(descry, ref, output, options);
      return;
    }
    const { desc, bytes, cancel } = await descry.fetchStream(ref, options);
    if (io.stdout.isTTY === true && output === undefined && !isText(desc.mediaType)) {
      cancel();
      throw usageError(`${desc.digest} is binary; write it to a file with -o FILE, or pass it on through a pipe`);
    }
    for await (const chunk of bytes) await write(io.stdout, chunk);
  } finally {
    progress.end();
  }
}

/** The options that were given. */
function pick({ digest, mediaType, offset, length }: Omit<FetchFlags, "output">): FetchStreamOptions {
  return {
    ...(digest === undefined ? {} : { digest }),
    ...(mediaType === undefined ? {} : { mediaType }),
    ...(offset === undefined ? {} : { offset }),
    ...(length === undefined ? {} : { length }),
  };
}

/** Whether content of a media type can be looked at. */
function isText(mediaType: string): boolean {
  return /^text\/|[+/](?:json|xml|yaml)$/.test(mediaType);
}
