// Callers that wait until a server has answered the settings of a client.

import { type Abortable, onAbort } from '../support/abort-source.js';

interface Waiter {
  /** Whether to keep waiting while the server is unavailable. */
  readonly isPatient: boolean;
  resolve(isSynced: boolean): void;
  reject(error: Error): void;
}

export class SessionWaiters {
  private readonly waiters = new Set<Waiter>();

  /**
   * Resolves with true once the server has answered. Unless `isPatient`, it resolves with false as soon as the server is away, or the signal
   * aborts; with it, it waits until the signal aborts.
   * @param whyNot the error when the signal aborts
   */
  wait(signal: Abortable, isPatient: boolean, whyNot: () => Error): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        unlisten();
        this.waiters.delete(waiter);
      };
      const waiter: Waiter = {
        isPatient,
        resolve: (isSynced) => {
          done();
          resolve(isSynced);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      const unlisten = onAbort(signal, () => {
        if (isPatient) waiter.reject(whyNot());
        else waiter.resolve(false);
      });
      this.waiters.add(waiter);
    });
  }

  /** Whether anybody waits. */
  get some(): boolean {
    return this.waiters.size > 0;
  }

  /** The server has answered. */
  synced(): void {
    for (const waiter of [...this.waiters]) waiter.resolve(true);
  }

  /** The server cannot be reached. */
  away(): void {
    for (const waiter of [...this.waiters]) if (!waiter.isPatient) waiter.resolve(false);
  }

  /** The server has rejected the settings, or the session is closed. */
  reject(error: Error): void {
    for (const waiter of [...this.waiters]) waiter.reject(error);
  }
}
