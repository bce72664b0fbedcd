// Waits for conditions.

/** Resolves when a condition holds; checks it in each turn of the event loop. The time-out of the test bounds the wait. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

const LOOK_EVERY_MS = 100;

/** Polls until the value is as expected, and returns the last value for an `expect`. */
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

/** Like `until`, but fails by itself: for specs whose time-out must not leave a wait behind. */
export async function soon(holds: () => boolean | Promise<boolean>, patienceMs = 15_000): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`it did not happen within ${patienceMs} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
