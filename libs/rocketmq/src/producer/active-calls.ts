// Counts the calls in flight. Cheaper per message than a set of promises.

/** Counts calls, and reports when all have ended. */
export class ActiveCalls {
  private count = 0;
  private idle: (() => void)[] = [];

  begin(): void {
    this.count++;
  }

  /** Ends a call that {@link begin} started. */
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

  /** Resolves when no calls are in flight; immediately if there are none. */
  whenIdle(): Promise<void> {
    return this.count === 0 ? Promise.resolve() : new Promise((resolve) => this.idle.push(resolve));
  }
}
