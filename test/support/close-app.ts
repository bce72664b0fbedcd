// The end of an application in a test, whatever became of its start.

interface Closable {
  close(): Promise<void>;
}

/**
 * Closes an application. On Nest 10 and 11 `close()` of one whose start failed ends nothing, and fails with what the start failed
 * with: that is known already.
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
