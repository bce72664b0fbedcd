// Closes an application after a test, whether its start succeeded or not.

interface Closable {
  close(): Promise<void>;
}

/**
 * Closes an application. After a failed start on Nest 10 and 11, `close()` closes nothing and throws the error of the start, which
 * the test has already seen.
 */
export async function closeApp(app: Closable | undefined): Promise<void> {
  const { initializationPromise } = (app ?? {}) as { readonly initializationPromise?: Promise<void> };
  const failure = await initializationPromise?.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  await app?.close().catch((error: unknown) => {
    if (failure?.error !== error) throw error;
  });
}
