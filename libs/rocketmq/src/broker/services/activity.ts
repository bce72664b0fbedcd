// What the broker is doing right now, for a test that wants to know when it is quiet.

/** Counts the RPCs and pushes in progress. */
export class Activity {
  private readonly current = new Map<number, string>();
  private begun = 0;

  /** @returns what to call when it ended; later calls do nothing */
  begin(label: string): () => void {
    const id = this.begun++;
    this.current.set(id, label);
    return () => this.current.delete(id);
  }

  /** Grows with everything that begins: equal numbers mean that nothing happened between. */
  get count(): number {
    return this.begun;
  }

  labels(): string[] {
    return [...this.current.values()];
  }
}
