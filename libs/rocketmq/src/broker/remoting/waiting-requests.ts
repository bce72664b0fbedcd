// Requests that wait for messages: pulls, pops, and questions whether there are any.

import type { ClientConnection } from './client-connection.js';
import type { RemotingContext } from './remoting-context.js';
import type { RequestWork } from './request-work.js';

/** How many requests wait at a time, over all connections. */
const MAX_WAITING = 100_000;

/** Who waits. */
export interface Waiter {
  readonly connection: ClientConnection;
  readonly work: RequestWork;
}

/** For what. */
interface Wait<T> {
  readonly topic: string;
  readonly group: string;
  readonly timeoutMs: number;
  /** What it can receive differs from what others of the group can. */
  readonly isPicky: boolean;
  /** @returns undefined to go on waiting */
  attempt(): T | undefined;
}

export class WaitingRequests {
  private waiting = 0;

  constructor(private readonly broker: Pick<RemotingContext, 'engine' | 'polls'>) {}

  /** Tries at once, and waits if it may. @returns see {@link wait} */
  async find<T extends object>(waiter: Waiter, wait: Wait<T>): Promise<T | 'full' | undefined> {
    return wait.attempt() ?? (wait.timeoutMs > 0 ? await this.wait(waiter, wait) : undefined);
  }

  /** @returns undefined when the time is over; `full` when too many wait already */
  async wait<T extends object>(
    { connection, work }: Waiter,
    { attempt: tryOnce, ...poll }: Wait<T>,
  ): Promise<T | 'full' | undefined> {
    work.pause();
    const resume = this.waiting < MAX_WAITING ? connection.suspend() : undefined;
    if (resume === undefined) return 'full';
    const aborter = new AbortController();
    const forget = connection.whenClosed(() => aborter.abort());
    let found: T | undefined;
    let failure: { readonly error: unknown } | undefined;
    const attempt = (): boolean => {
      try {
        found = tryOnce();
      } catch (error) {
        // Thrown to this client, not to the command that woke the request.
        failure = { error };
      }
      if (found !== undefined) work.resume();
      return found !== undefined || failure !== undefined;
    };
    this.waiting++;
    await this.broker.polls.wait({ ...poll, signal: aborter.signal, attempt });
    this.waiting--;
    forget();
    resume();
    if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
    // As on the real server, which looks a last time when the time of a poll is over.
    if (found === undefined) this.broker.engine.assertDelivers(poll.group);
    return found;
  }
}
