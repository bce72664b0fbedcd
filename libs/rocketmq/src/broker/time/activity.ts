// What the broker is doing, so that tests can wait until it is idle.

/** An RPC or push in progress, and its client. */
interface Ongoing {
  readonly what: string;
  readonly client: unknown;
}

/** Counts the RPCs and pushes in progress. */
export class Activity {
  private readonly current = new Set<Ongoing>();
  private begun = 0;

  /** @returns a function to call when it ends; further calls do nothing */
  begin(what: string, client: unknown): () => void {
    const ongoing: Ongoing = { what, client };
    this.begun++;
    this.current.add(ongoing);
    return () => this.current.delete(ongoing);
  }

  /** An RPC has begun and ended within a turn of the event loop, so nobody can see it in progress. */
  passed(): void {
    this.begun++;
  }

  /** The number of RPCs and pushes that have begun: equal numbers mean that nothing happened in between. */
  get count(): number {
    return this.begun;
  }

  labels(): string[] {
    return Array.from(this.current, ({ what, client }) => `${what} of ${String(client)}`);
  }
}
