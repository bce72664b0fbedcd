// What the broker is doing right now, for a test that wants to know when it is quiet.

/** What goes on, and for whom. */
interface Ongoing {
  readonly what: string;
  readonly client: unknown;
}

/** Counts the RPCs and pushes in progress. */
export class Activity {
  private readonly current = new Set<Ongoing>();
  private begun = 0;

  /** @returns what to call when it ended; later calls do nothing */
  begin(what: string, client: unknown): () => void {
    const ongoing: Ongoing = { what, client };
    this.begun++;
    this.current.add(ongoing);
    return () => this.current.delete(ongoing);
  }

  /** Grows with everything that begins: equal numbers mean that nothing happened between. */
  get count(): number {
    return this.begun;
  }

  labels(): string[] {
    return Array.from(this.current, ({ what, client }) => `${what} of ${String(client)}`);
  }
}
