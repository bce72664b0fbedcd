// Waits for conditions.

const TIMEOUT_MS = 60_000;

/**
 * Resolves when a condition holds; checks it in each turn of the event loop. It fails by itself before the test times out, so that
 * nothing goes on turning behind the next test.
 */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  await holding(holds, TIMEOUT_MS, () => new Promise((resolve) => setImmediate(resolve)));
}

const LOOK_EVERY_MS = 100;

/** Polls until the value is as expected, and returns the last value for an `expect`. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  isWanted: (value: T) => boolean,
  timeoutMs = TIMEOUT_MS,
): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
    const value = await look();
    if (isWanted(value) || waitedMs >= timeoutMs) return value;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Like `until`, but waits between its looks, for what other processes do. */
export async function soon(holds: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  await holding(holds, timeoutMs, () => new Promise((resolve) => setTimeout(resolve, 2)));
}

async function holding(
  holds: () => boolean | Promise<boolean>,
  timeoutMs: number,
  pause: () => Promise<unknown>,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`it did not happen within ${timeoutMs} ms: ${holds}`);
    await pause();
  }
}
