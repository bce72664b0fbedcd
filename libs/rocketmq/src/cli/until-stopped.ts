// When a command that serves ends.

const SIGNALS: readonly string[] = ['SIGINT', 'SIGTERM'];

/**
 * Resolves on SIGINT or SIGTERM, or when the parent process disconnects, unless this one outlives it.
 * @param over after it aborts, signals have their usual effect, and the channel to a parent does not keep this process alive
 */
export function askedToStop(over?: AbortSignal, { outlivesParent = false } = {}): Promise<void> {
  const hasNoParent = outlivesParent || process.channel === undefined || process.channel === null;
  const events = hasNoParent ? SIGNALS : [...SIGNALS, 'disconnect'];
  return new Promise((resolve) => {
    const stop = (): void => resolve();
    for (const event of events) process.once(event, stop);
    over?.addEventListener('abort', () => {
      for (const event of events) process.off(event, stop);
    });
  });
}
