// What is asked of the cluster at most every so often, whatever the number of viewers.

export class CachedAnswer<T> {
  private cached: { readonly atMs: number; readonly value: Promise<T> } | undefined;

  /** @param nowMs milliseconds since 1970 */
  constructor(
    private readonly ask: () => Promise<T>,
    private readonly freshMs: number,
    private readonly nowMs: () => number,
  ) {}

  /** The last answer, or one that is in flight, or a new one. @throws what `ask` throws; the next caller then asks again */
  read(): Promise<T> {
    const nowMs = this.nowMs();
    if (this.cached === undefined || nowMs - this.cached.atMs >= this.freshMs) {
      const value = this.ask();
      this.cached = { atMs: nowMs, value };
      value.catch(() => {
        if (this.cached?.value === value) this.cached = undefined;
      });
    }
    return this.cached.value;
  }

  /** The next caller asks. */
  forget(): void {
    this.cached = undefined;
  }
}
