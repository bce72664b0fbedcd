// The lease of one message: renews it in time and sends the one settlement, never both at once. The caller decides about the
// settlement.
// Over 300 lines: the state of a lease and every request about it belong together, because only together they show that there is
// one settlement.

import type { Endpoint } from '../../client/endpoint.js';
import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { StatusError } from '../../protocol/grpc/status.js';
import type { MessageView } from '../../protocol/model/message.js';
import { type Abortable, AbortSource } from '../../support/abort-source.js';
import { RocketMQError, StateError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import type { IncomingMessage } from '../receive/incoming-message.js';
import { type LeaseCalls, type LeaseSettlement, repeatSettlement, sendSettlement } from './lease-settlement.js';
import { type LeaseEvent, type LeaseState, nextLeaseState } from './lease-state.js';
import type { Receipt } from './receipt-calls.js';
import type { SharedTimers, Timed } from './shared-timers.js';

const ACK = { kind: 'ack' } as const;
const TRACKED: Readonly<Record<LeaseSettlement['kind'], string>> = {
  ack: 'ack of',
  postpone: 'postponement of',
  release: 'release of',
  deadLetter: 'dead letter of',
};

/** What the leases of a consumer share. */
export interface LeaseContext extends Pick<ConsumerContext, 'clock' | 'ioClock' | 'random' | 'logger'> {
  /** On the business clock, which a step of the wall clock does not move. */
  readonly timers: SharedTimers;
  readonly calls: LeaseCalls;
  readonly invisibleDurationMs: number;
}

/** A message as it was received. */
interface Received extends IncomingMessage {
  readonly endpoint: Endpoint;
  /** The size of the body as it was received. */
  readonly heldBytes: number;
  /** When the server handed it out, as far as this process knows, by monotonic business time: leases are durations. */
  readonly leasedAtMs: number;
}

/** The server answers OK for a handle that was replaced, and redelivers the message. */
const UNSETTLED = 'the server may not have settled it';

/** A renewal that did not take effect is retried after this fraction of the remaining lease. */
const RENEWAL_RETRY_PART = 1 / 4;
const RENEWAL_RETRY_MIN_MS = 250;

/** Holds a message from its receipt until it is settled, lost or dropped. */
export class MessageLease implements Timed {
  readonly message: MessageView;
  readonly bodyProblem: string | undefined;
  /** Whether the body must be decompressed before a handler gets it. */
  readonly isPacked: boolean;
  /** How many bytes the body grew when it was decompressed. Set by the code that decompresses it. */
  grownBytes = 0;
  /** When a handler got the message, by monotonic business time; undefined while none has it. Set by the code that calls the handler. */
  handlerSinceMs: number | undefined = undefined;
  /** Whether it takes a turn as soon as it can. Set by the code that gives turns. */
  needsTurn = true;
  private state: LeaseState;
  /** When {@link onTime} is due; undefined when it is not. */
  private dueAtMs: number | undefined;
  private renewal: Promise<void> | undefined;
  /** Created on demand: most leases are never lost. */
  private lost: AbortSource | undefined;
  private doubted: AbortSource | undefined;
  private doubt: Error | undefined;

  constructor(
    private readonly context: LeaseContext,
    private readonly received: Received,
  ) {
    this.message = received.message;
    this.bodyProblem = received.bodyProblem;
    this.isPacked = received.isPacked;
    const endsAtMs = received.leasedAtMs + context.invisibleDurationMs;
    this.state = { kind: 'held', handle: this.message.receiptHandle, endsAtMs };
    this.callAt(endsAtMs - context.invisibleDurationMs / 2);
  }

  toString(): string {
    return `message ${this.message.messageId} from "${this.message.topic}"`;
  }

  /** Measured by the monotonic business clock. */
  get leasedAtMs(): number {
    return this.received.leasedAtMs;
  }

  get heldBytes(): number {
    return this.received.heldBytes;
  }

  /** The server that holds the message. */
  get endpoint(): Endpoint {
    return this.received.endpoint;
  }

  /** Aborts when the lease is lost: another consumer may have the message. */
  get lostSignal(): AbortSource {
    this.lost ??= sourceOf(this.isLost ? this.doubt : undefined);
    return this.lost;
  }

  /** Aborts when the lease can no longer be renewed: too late to start a handler. */
  get doubtSignal(): AbortSource {
    this.doubted ??= sourceOf(this.doubt);
    return this.doubted;
  }

  /** Whether it is too late to start a handler: {@link doubtSignal} has aborted, or would have, but the process was suspended or blocked. */
  get isInDoubt(): boolean {
    this.passTime();
    return (
      this.doubt !== undefined || ('endsAtMs' in this.state && this.context.clock.monotonicMs() >= this.state.endsAtMs)
    );
  }

  private get isLost(): boolean {
    return this.state.kind === 'ended' && this.state.how === 'lost';
  }

  /**
   * Settles the message on the server, and repeats the request where that is harmless, until the lease would end.
   * @returns undefined once the server has certainly settled it; otherwise the error, and the message may be redelivered
   */
  async settle(settlement: LeaseSettlement, signal: Abortable): Promise<Error | undefined> {
    if (settlement.kind === 'ack') return new Promise((resolve) => this.ack(signal, resolve));
    // Tracked from now on, so that a moved clock finds no gap between the handler's end and the first request.
    const untrack = this.track(settlement);
    try {
      if (this.renewal !== undefined) await this.renewal;
      const state = this.beginSettlement();
      if (state === undefined) return this.lostError();
      const error = await this.settleHeld(settlement, state, signal, untrack);
      this.apply({ kind: error === undefined ? 'settled' : 'settlementFailed' });
      return error;
    } finally {
      untrack();
    }
  }

  /** As {@link settle}, for the end of almost every message: without a promise, whose cost every message would bear. */
  ack(signal: Abortable, onEnd: (error: Error | undefined) => void): void {
    const untrack = this.track(ACK);
    if (this.renewal === undefined) this.ackNow(signal, untrack, onEnd);
    else void this.renewal.then(() => this.ackNow(signal, untrack, onEnd));
  }

  /** Drops the message without a request: it is redelivered when its lease ends. */
  drop(): void {
    this.apply({ kind: 'dropped' });
  }

  /** The message is lost if its lease has one of these handles. */
  loseBy(receiptHandles: ReadonlySet<string>): void {
    if ('handle' in this.state && receiptHandles.has(this.state.handle)) this.apply({ kind: 'timeOver' });
  }

  private ackNow(signal: Abortable, untrack: () => void, onEnd: (error: Error | undefined) => void): void {
    const state = this.beginSettlement();
    if (state === undefined) {
      untrack();
      onEnd(this.lostError());
      return;
    }
    this.context.calls.ack(this.receipt(state.handle), (error) => {
      untrack();
      if (error === undefined) onEnd(this.ackEnded(state, undefined));
      else void this.repeat(ACK, state, signal, error).then((last) => onEnd(this.ackEnded(state, last)));
    });
  }

  private ackEnded({ isCertain }: LeaseState & { kind: 'settling' }, error: unknown): Error | undefined {
    this.apply({ kind: error === undefined ? 'settled' : 'settlementFailed' });
    if (error !== undefined) return asError(error);
    return isCertain ? undefined : this.uncertain(UNSETTLED);
  }

  /** A handler that blocked the event loop returns before the timer that would have reported the end of the lease. */
  private passTime(): void {
    if ('endsAtMs' in this.state && this.context.clock.monotonicMs() >= this.state.endsAtMs)
      this.apply({ kind: 'timeOver' });
  }

  /** Undefined when the lease is lost, or the settlement has begun before. */
  private beginSettlement(): (LeaseState & { kind: 'settling' }) | undefined {
    this.passTime();
    if (this.state.kind === 'settling') return undefined;
    const state = this.apply({ kind: 'settlementBegun' });
    return state.kind === 'settling' ? state : undefined;
  }

  private async settleHeld(
    settlement: LeaseSettlement,
    state: LeaseState & { kind: 'settling' },
    signal: Abortable,
    untrackFirst: () => void,
  ): Promise<Error | undefined> {
    if (!state.isCertain && (settlement.kind === 'postpone' || settlement.kind === 'release')) {
      // A change by a replaced handle would revive the message beside its new lease.
      return this.uncertain('it is redelivered when the lease ends');
    }
    try {
      await this.request(settlement, state.handle);
    } catch (error) {
      untrackFirst();
      const last = await this.repeat(settlement, state, signal, error);
      if (last !== undefined) return asError(last);
    }
    return state.isCertain ? undefined : this.uncertain(UNSETTLED);
  }

  private lostError(): StateError {
    return new StateError('LEASE_LOST', `the lease of message ${this.message.messageId} was lost`);
  }

  private uncertain(consequence: string): StateError {
    const doubt = `the answer to a lease renewal of message ${this.message.messageId} was lost`;
    return new StateError('LEASE_UNCERTAIN', `${doubt}; ${consequence}`);
  }

  private repeat(
    settlement: LeaseSettlement,
    { handle, endsAtMs }: LeaseState & { kind: 'settling' },
    signal: Abortable,
    first: unknown,
  ): Promise<unknown> {
    const { messageId } = this.message;
    const send = (): Promise<void> => this.trackedRequest(settlement, handle);
    return repeatSettlement({ settlement, messageId, endsAtMs, signal, send }, this.context, first);
  }

  private async trackedRequest(settlement: LeaseSettlement, handle: string): Promise<void> {
    const untrack = this.track(settlement);
    try {
      await this.request(settlement, handle);
    } finally {
      untrack();
    }
  }

  private track({ kind }: LeaseSettlement): () => void {
    return this.context.clock.track(TRACKED[kind], this);
  }

  private request(settlement: LeaseSettlement, handle: string): Promise<unknown> {
    return sendSettlement(this.context.calls, settlement, this.receipt(handle));
  }

  private receipt(handle: string): Receipt {
    const { topic, messageId, liteTopic } = this.message;
    return { topic, messageId, handle, endpoint: this.received.endpoint, liteTopic };
  }

  private callAt(atMs: number): void {
    this.dueAtMs = atMs;
    this.context.timers.at(atMs, this);
  }

  /** @internal Time to renew it, or its end when it cannot be renewed. */
  onTime(): void {
    this.dueAtMs = undefined;
    if (this.state.kind === 'uncertain') {
      this.apply({ kind: 'timeOver' });
      return;
    }
    this.renewal = this.renew().finally(() => {
      this.renewal = undefined;
    });
  }

  private async renew(): Promise<void> {
    const { clock, calls, invisibleDurationMs } = this.context;
    const held = this.state;
    if (held.kind !== 'held') return;
    if (clock.monotonicMs() >= held.endsAtMs) {
      this.apply({ kind: 'timeOver' });
      return;
    }
    this.apply({ kind: 'renewalBegun' });
    const untrack = clock.track('lease renewal of', this);
    const askedAtMs = clock.monotonicMs();
    try {
      const postponement = { invisibleDurationMs, suspend: false };
      const handle = await calls.changeInvisibleDuration(this.receipt(held.handle), postponement);
      this.apply({ kind: 'renewed', handle, endsAtMs: askedAtMs + invisibleDurationMs });
    } catch (error) {
      const fields = { messageId: this.message.messageId, error: describeError(error) };
      this.context.logger.warn('a lease renewal failed', fields);
      this.apply({ kind: renewalFailure(error) });
    } finally {
      untrack();
    }
  }

  /** The one place where the state changes, and with it the timers; it also notifies the owner. */
  private apply(event: LeaseEvent): LeaseState {
    const before = this.state;
    this.state = nextLeaseState(before, event);
    if (this.state === before) return before;
    const { clock, invisibleDurationMs, timers } = this.context;
    if (this.dueAtMs !== undefined) {
      timers.cancel(this.dueAtMs, this);
      this.dueAtMs = undefined;
    }
    const state = this.state;
    if (state.kind === 'held') {
      const leftMs = state.endsAtMs - clock.monotonicMs();
      const retryMs = Math.max(RENEWAL_RETRY_MIN_MS, leftMs * RENEWAL_RETRY_PART);
      this.callAt(
        event.kind === 'renewed'
          ? state.endsAtMs - invisibleDurationMs / 2
          : clock.monotonicMs() + Math.min(retryMs, leftMs),
      );
    } else if (state.kind === 'uncertain') {
      this.callAt(state.endsAtMs);
      this.doubtBegins(new StateError('LEASE_UNCERTAIN', 'the answer to a lease renewal was lost'));
    } else if (state.kind === 'ended' && state.how === 'lost') {
      const lost = this.lostError();
      this.doubtBegins(lost);
      this.lost?.abort(lost);
    }
    return this.state;
  }

  private doubtBegins(reason: Error): void {
    this.doubt ??= reason;
    this.doubted?.abort(reason);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function sourceOf(reason: Error | undefined): AbortSource {
  const source = new AbortSource();
  if (reason !== undefined) source.abort(reason);
  return source;
}

function renewalFailure(error: unknown): 'renewalRejected' | 'renewalNotDone' | 'renewalUnanswered' {
  if (error instanceof StatusError && error.statusCode === Code.INVALID_RECEIPT_HANDLE) return 'renewalRejected';
  return RocketMQError.is(error) && error.outcome !== 'unknown' ? 'renewalNotDone' : 'renewalUnanswered';
}
