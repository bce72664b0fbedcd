// What a held message waits for: a turn of its listener, room for its body, its next attempt. Every wait ends early when its lease
// cannot be renewed or the consumer stops.

import { type Abortable, AbortSource, onAbort, reasonOf } from '../../support/abort-source.js';
import { type Clock, sleep } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import type { MessageLease } from '../lease/message-lease.js';
import type { Listener } from '../listeners/message-listener.js';
import type { Pauses } from '../receive/pauses.js';
import type { ListenerTurns, Turn } from './listener-turns.js';

const RELEASE_NOW: Turn = { kind: 'rejected', visibleInMs: 0 };

/** The waits of all messages that a consumer holds. */
export class Turns {
  private readonly waiting = new Set<AbortSource>();
  private isStopped = false;

  /** @param clock business time, which retries use */
  constructor(
    private readonly clock: Clock,
    private readonly pauses: Pauses,
    private readonly listenerTurns: ListenerTurns,
  ) {}

  /** Grants no further turn, and ends every wait. */
  stop(): void {
    this.isStopped = true;
    for (const waiting of [...this.waiting]) waiting.abort(new StateError('CLOSED', 'the consumer is closing'));
  }

  /** A turn that needs no wait; undefined when there is none. */
  takeNow(lease: MessageLease, listener: Listener): Turn | undefined {
    if (this.isOver(lease) || !this.pauses.isOpen(lease.message.topic)) return undefined;
    return this.listenerTurns.takeNow(listener);
  }

  async take(lease: MessageLease, listener: Listener): Promise<Turn> {
    const turn = await this.whileUsable(lease, (over) => this.admitted(lease, listener, over));
    if (turn === undefined) return RELEASE_NOW;
    if (turn.kind === 'rejected' || !this.isOver(lease)) return turn;
    turn.end();
    return RELEASE_NOW;
  }

  /** The message with its body decompressed; undefined when the wait for room was ended early. */
  async unpacked<T extends { end(): void }>(
    lease: MessageLease,
    unpack: (signal: Abortable) => Promise<T>,
  ): Promise<T | undefined> {
    const unpacked = await this.whileUsable(lease, unpack);
    if (unpacked === undefined || !this.isOver(lease)) return unpacked;
    unpacked.end();
    return undefined;
  }

  /** Waits on the business clock; false when the wait was ended early. */
  async sleepToRetry(lease: MessageLease, durationMs: number): Promise<boolean> {
    const slept = await this.whileUsable(lease, async (signal) => {
      await sleep(this.clock, durationMs, signal);
      return true;
    });
    return slept === true && !this.isOver(lease);
  }

  /** Resolves when the message may be released: before, a last open poll of this consumer would fetch it again. */
  async releaseAllowed(lease: MessageLease): Promise<void> {
    const { topic } = lease.message;
    await this.whileUsable(lease, (signal) => this.pauses.releaseAllowed(topic, signal));
  }

  /** A turn while the topic is not paused. */
  private async admitted({ message }: MessageLease, listener: Listener, over: AbortSource): Promise<Turn> {
    const { pauses, listenerTurns } = this;
    for (;;) {
      if (!pauses.isOpen(message.topic) && (await pauses.verdict(message.topic, over)) === 'release')
        return RELEASE_NOW;
      const turn = await listenerTurns.take(listener, message.topic, over);
      if (turn === undefined) continue;
      if (turn.kind === 'rejected' || pauses.isOpen(message.topic)) return turn;
      turn.end();
    }
  }

  private isOver(lease: MessageLease): boolean {
    return this.isStopped || lease.isInDoubt;
  }

  private async whileUsable<T>(lease: MessageLease, wait: (over: AbortSource) => Promise<T>): Promise<T | undefined> {
    if (this.isOver(lease)) return undefined;
    const over = new AbortSource();
    this.waiting.add(over);
    const unlisten = onAbort(lease.doubtSignal, () => over.abort(reasonOf(lease.doubtSignal)));
    try {
      return await wait(over);
    } catch {
      return undefined;
    } finally {
      this.waiting.delete(over);
      unlisten();
    }
  }
}
