export interface ResponseBodyOptions {
  /** Milliseconds the client may take nothing. */
  readonly idleMs: number;
  readonly onBytes: (count: number) => void;
  /** The client takes nothing any more. */
  readonly onStall: () => void;
}

/** A response's body, counted, and watched: a chunk that is not taken in time is the last. */
export function watchBody(body: AsyncIterable<Uint8Array>, options: ResponseBodyOptions): AsyncIterable<Uint8Array> {
  const { idleMs, onBytes, onStall } = options;
  return {
    [Symbol.asyncIterator]: () => {
      const chunks = body[Symbol.asyncIterator]();
      let timer: NodeJS.Timeout | undefined;
      // The next chunk is asked for when the one before was taken.
      const next = async (): Promise<IteratorResult<Uint8Array>> => {
        clearTimeout(timer);
        const chunk = await chunks.next();
        if (chunk.done === true) return chunk;
        onBytes(chunk.value.byteLength);
        timer = setTimeout(onStall, idleMs);
        return chunk;
      };
      // Connect tells its pipeline by throw() of a client that went away, and ends it by return().
      const fail = chunks.throw?.bind(chunks);
      const end = chunks.return?.bind(chunks);
      const iterator: AsyncIterator<Uint8Array> = { next };
      if (fail !== undefined)
        iterator.throw = (reason) => {
          clearTimeout(timer);
          return fail(reason);
        };
      if (end !== undefined)
        iterator.return = () => {
          clearTimeout(timer);
          return end();
        };
      return iterator;
    },
  };
}
