// Records what handlers received, and waits for it.

/** Texts in the order in which they arrived. */
export class Arrivals {
  readonly texts: string[] = [];
  private readonly wakers = new Set<() => void>();

  add(text: string): void {
    this.texts.push(text);
    for (const wake of [...this.wakers]) wake();
  }

  /** Resolves when every one of these has arrived at least once; the test's own time-out bounds the wait. */
  async of(...texts: string[]): Promise<void> {
    await this.until(() => texts.every((text) => this.texts.includes(text)));
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
