// Records what handlers received, and waits for it.

/** Texts in the order in which they arrived. */
export class Arrivals {
  readonly texts: string[] = [];
  private readonly known = new Set<string>();
  private readonly wakers = new Set<() => void>();

  add(text: string): void {
    this.texts.push(text);
    this.known.add(text);
    for (const wake of [...this.wakers]) wake();
  }

  /** Resolves when every one of these has arrived at least once; the test's own time-out bounds the wait. */
  async of(...texts: string[]): Promise<void> {
    const missing = new Set(texts);
    await this.until(() => {
      // Each text is looked up until it has arrived, never again: loads are a hundred thousand of them.
      for (const text of missing) {
        if (!this.known.has(text)) return false;
        missing.delete(text);
      }
      return true;
    });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.wakers.delete(wake);
          resolve();
        };
        this.wakers.add(wake);
      });
    }
  }
}
