// Receives that wait for messages until some arrive, their time is over, they are canceled, or the broker stops. Uses real time.

import type { Clock } from '../../support/clock.js';
import type { Available } from '../engine/changes.js';

/** A receive that has found no messages yet. */
interface LongPoll {
  readonly topic: string;
  readonly group: string;
  readonly timeoutMs: number;
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal;
  /** What it can receive differs from what other polls of the group can. Default: false. */
  readonly isPicky?: boolean;
  /** Tries to receive messages. @returns whether the poll is over */
  attempt(): boolean;
}

interface Waiter {
  readonly poll: LongPoll;
  readonly end: () => void;
}

/** All waiting receives, by topic and group. */
export class LongPolls {
  private readonly waiters = new Map<string, Map<string, Set<Waiter>>>();
  private readonly woken = new Map<string, Available>();
  private closed = false;

  constructor(private readonly realClock: Clock) {}

  /** Waits until an attempt succeeds, the time is over, the client disconnects or the broker stops. */
  wait(poll: LongPoll): Promise<void> {
    if (this.closed || poll.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        poll.signal.removeEventListener('abort', end);
        this.forget(waiter);
        resolve();
      };
      const waiter: Waiter = { poll, end };
      const timer = this.realClock.schedule(poll.timeoutMs, end);
      poll.signal.addEventListener('abort', end, { once: true });
      this.remember(waiter);
    });
  }

  /** Messages may be available. The polls try again right after the current command, never within it. */
  wake(available: Available): void {
    if (!this.waiters.has(available.topic)) return;
    if (this.woken.size === 0) queueMicrotask(() => this.dispatch());
    this.woken.set(JSON.stringify([available.topic, available.group]), available);
  }

  /** Whether a poll of the group is waiting. */
  has(topic: string, group: string): boolean {
    return this.waiters.get(topic)?.has(group) === true;
  }

  /** How many polls of the group are waiting. */
  count(topic: string, group: string): number {
    return this.waiters.get(topic)?.get(group)?.size ?? 0;
  }

  /** Whether woken polls have not tried yet. */
  get isDispatching(): boolean {
    return this.woken.size > 0;
  }

  /** Ends all waits; later ones end immediately. */
  close(): void {
    this.closed = true;
    for (const groups of [...this.waiters.values()]) {
      for (const waiters of [...groups.values()]) for (const waiter of [...waiters]) waiter.end();
    }
  }

  private dispatch(): void {
    const woken = [...this.woken.values()];
    this.woken.clear();
    for (const { topic, group } of woken) {
      const groups = this.waiters.get(topic);
      if (groups === undefined) continue;
      const names = group === undefined ? [...groups.keys()] : [group];
      for (const name of names) this.serve(groups.get(name));
    }
  }

  /** Serves the longest waiting poll first. When a poll gets nothing, nothing is left for its group, unless it was picky. */
  private serve(waiters: Set<Waiter> | undefined): void {
    for (const waiter of [...(waiters ?? [])]) {
      if (waiter.poll.attempt()) waiter.end();
      else if (waiter.poll.isPicky !== true) return;
    }
  }

  private remember(waiter: Waiter): void {
    const { topic, group } = waiter.poll;
    const groups = this.waiters.get(topic) ?? new Map<string, Set<Waiter>>();
    const waiters = groups.get(group) ?? new Set<Waiter>();
    this.waiters.set(topic, groups.set(group, waiters.add(waiter)));
  }

  private forget(waiter: Waiter): void {
    const { topic, group } = waiter.poll;
    const groups = this.waiters.get(topic);
    const waiters = groups?.get(group);
    waiters?.delete(waiter);
    if (waiters?.size === 0) groups?.delete(group);
    if (groups?.size === 0) this.waiters.delete(topic);
  }
}
