/** The same messages; `ended` is called once, when they end, fail or are given up. */
export async function* whenEnded<T>(messages: AsyncIterable<T>, ended: () => void): AsyncGenerator<T> {
  try {
    yield* messages;
  } finally {
    ended();
  }
}
