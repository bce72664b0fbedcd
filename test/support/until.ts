// The wait for what comes about by itself. The test's own time-out bounds it.

/** Resolves when a condition holds; it is looked at in each turn of the event loop. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}
