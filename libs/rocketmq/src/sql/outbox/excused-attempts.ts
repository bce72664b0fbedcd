// How often messages could not be sent for reasons that are not theirs, as far as one relay knows: their delays grow, but nothing counts.

/** More messages than fail within the longest delay; the oldest are forgotten, and their delays are short again. */
const MAX_KEPT = 10_000;

export class ExcusedAttempts {
  private readonly counts = new Map<string, number>();

  /** @returns how many there are now */
  add(id: string): number {
    const count = (this.counts.get(id) ?? 0) + 1;
    this.counts.delete(id);
    this.counts.set(id, count);
    const [oldest] = this.counts.keys();
    if (this.counts.size > MAX_KEPT && oldest !== undefined) this.counts.delete(oldest);
    return count;
  }

  forget(id: string): void {
    this.counts.delete(id);
  }
}
