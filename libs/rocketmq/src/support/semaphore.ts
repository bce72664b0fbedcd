// A bounded number of permits, granted in the order of the calls.

import { type Abortable, onAbort, reasonOf } from './abort-source.js';

interface Waiter {
  readonly grant: () => void;
}

/** Limits how much runs concurrently. */
export class Semaphore {
  private readonly waiters = new Set<Waiter>();
  /** Negative after a resize while more permits are held than there are now. */
  private free: number;

  constructor(private permits: number) {
    this.free = permits;
  }

  /** Changes the number of permits. Those that are held stay held; when there are fewer now, the next ones wait for more releases. */
  resize(permits: number): void {
    this.free += permits - this.permits;
    this.permits = permits;
    this.serve();
  }

  /** How many permits are held. */
  get held(): number {
    return this.permits - this.free;
  }

  /** A free permit, as {@link acquire} returns it; undefined if there is none. */
  tryAcquire(): (() => void) | undefined {
    if (this.free <= 0) return undefined;
    this.free--;
    return this.permit();
  }

  /**
   * Waits for a permit.
   * @returns a function that releases the permit; later calls do nothing
   * @throws the signal's reason when it aborts first
   */
  acquire(signal?: Abortable): Promise<() => void> {
    if (signal?.aborted) return Promise.reject(reasonOf(signal));
    const free = this.tryAcquire();
    if (free !== undefined) return Promise.resolve(free);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        grant: () => {
          unlisten();
          resolve(this.permit());
        },
      };
      const unlisten = onAbort(signal, () => {
        this.waiters.delete(waiter);
        reject(reasonOf(signal));
      });
      this.waiters.add(waiter);
    });
  }

  private permit(): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.free++;
      this.serve();
    };
  }

  private serve(): void {
    for (const waiter of this.waiters) {
      if (this.free <= 0) return;
      this.free--;
      this.waiters.delete(waiter);
      waiter.grant();
    }
  }
}
