// When a command that serves ends.

/** Resolves on SIGINT or SIGTERM, or when the parent process disconnects. */
export function askedToStop(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    if (process.channel !== undefined && process.channel !== null) process.once('disconnect', () => resolve());
  });
}
