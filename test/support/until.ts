// Waits for what happens by itself.

/** Resolves when a condition holds; it is looked at in each turn of the event loop. The test's own time-out bounds it. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

const LOOK_EVERY_MS = 100;

/** Looks again and again until the value is as wanted; the last look is what an `expect` after it judges. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  isWanted: (value: T) => boolean,
  patienceMs = 60_000,
): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
    const value = await look();
    if (isWanted(value) || waitedMs >= patienceMs) return value;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
