// Cases of a check: a line for each, and their counts.

export class Checks {
  #passed = 0;
  #failed = 0;

  /** Runs a check. When it throws, the error is printed and the next check runs. */
  async check<T>(title: string, work: () => T | Promise<T>): Promise<T | undefined> {
    const beganAt = Date.now();
    try {
      const result = await work();
      this.#passed++;
      process.stdout.write(`ok     ${title} (${((Date.now() - beganAt) / 1000).toFixed(1)} s)\n`);
      return result;
    } catch (error) {
      this.fail(title, error);
      return undefined;
    }
  }

  /** Runs one that the others need. @throws Error when it fails; the failure is printed already */
  async need<T>(title: string, work: () => T | Promise<T>): Promise<T> {
    const result = await this.check(title, async () => ({ value: await work() }));
    if (result === undefined) throw new NeededError(title);
    return result.value;
  }

  /** Prints a failure. One that was printed before is not counted again. */
  fail(title: string, error: unknown): void {
    if (error instanceof NeededError) return;
    this.#failed++;
    const text = error instanceof Error ? error.message : String(error);
    process.stdout.write(`FAILED ${title}\n         ${text.trimEnd().replaceAll('\n', '\n         ')}\n`);
  }

  /** How many passed and failed so far. */
  get counts() {
    return { passed: this.#passed, failed: this.#failed };
  }
}

class NeededError extends Error {}
