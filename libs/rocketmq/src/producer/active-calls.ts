// How many calls are under way. Cheaper than a set of promises, which each message would pay for.

/** Counts calls, and says when all have ended. */
export class ActiveCalls {
  private count = 0;
  private idle: (() => void)[] = [];

  begin(): void {
    this.count++;
  }

  /** Ends what {@link begin} began. */
  end(): void {
    if (--this.count > 0) return;
    for (const resolve of this.idle.splice(0)) resolve();
  }

  /** Counts the promise until it settles. */
  async track<T>(promise: Promise<T>): Promise<T> {
    this.begin();
    try {
      return await promise;
    } finally {
      this.end();
    }
  }

  /** Resolves when nothing is under way; at once when nothing is. */
  whenIdle(): Promise<void> {
    return this.count === 0 ? Promise.resolve() : new Promise((resolve) => this.idle.push(resolve));
  }
}
