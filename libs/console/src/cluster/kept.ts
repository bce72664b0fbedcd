// What is asked of the cluster at most every so often, whatever the number of viewers.

export class Kept<T> {
  private kept: { readonly atMs: number; readonly value: Promise<T> } | undefined;

  /** @param nowMs milliseconds since 1970 */
  constructor(
    private readonly ask: () => Promise<T>,
    private readonly keptMs: number,
    private readonly nowMs: () => number,
  ) {}

  /** The last answer, or one that is under way, or a new one. @throws what `ask` throws; the next caller then asks again */
  read(): Promise<T> {
    const nowMs = this.nowMs();
    if (this.kept === undefined || nowMs - this.kept.atMs >= this.keptMs) {
      const value = this.ask();
      this.kept = { atMs: nowMs, value };
      value.catch(() => {
        if (this.kept?.value === value) this.kept = undefined;
      });
    }
    return this.kept.value;
  }

  /** The next caller asks. */
  forget(): void {
    this.kept = undefined;
  }
}
