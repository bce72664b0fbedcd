/** Unlike `for await`, it keeps no command in memory while it waits for the next one, which may never come. */
export async function forEach<T>(values: AsyncIterable<T>, take: (value: T) => void): Promise<void> {
  const iterator = values[Symbol.asyncIterator]();
  const takeNext = async (): Promise<boolean> => {
    const { done, value } = await iterator.next();
    if (!done) take(value);
    return !done;
  };
  try {
    while (await takeNext());
  } finally {
    await iterator.return?.();
  }
}
