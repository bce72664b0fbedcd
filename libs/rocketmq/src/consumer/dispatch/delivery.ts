// One message in its turn: runs its listener's handler, asks the failure policy, settles the message. The dispatcher decides when its
// turn comes.

import type { MessageView } from '../../protocol/model/message.js';
import type { Abortable } from '../../support/abort-source.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import type { Clock } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import type { LeaseSettlement, MessageLease } from '../lease/message-lease.js';
import { type RunOptions, type RunResult, runHandler } from '../listeners/handler-run.js';
import type { Listener } from '../listeners/message-listener.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import { type DeadLetterReason, type Settlement, settlementAfterFailure } from '../model/failure-policy.js';
import type { MessageHandler } from '../model/handler.js';
import { DeadLetterError } from '../model/outcome-errors.js';
import type { OpenedMessage } from '../receive/incoming-message.js';
import type { FinishedAttempts } from './finished-attempts.js';
import { keepDeadLetter } from './keep-dead-letter.js';
import type { GrantedTurn } from './listener-turns.js';

/** A place in the flow where a crash test may stop the process. */
export type ConsumerCheckpoint = (point: 'handled-before-ack', message: MessageView) => Promise<void>;

/** How the deliveries of a consumer end when it closes, and what they know of each other. */
export interface DeliveryShared {
  readonly checkpoint: ConsumerCheckpoint | undefined;
  /** Fires when handlers must end. */
  readonly forceSignal: Abortable;
  /** Fires when hooks of dead letters are no longer waited for. */
  readonly abandonSignal: Abortable;
  /** Fires when settlements are no longer repeated. */
  readonly settleSignal: AbortSignal;
  /** Of the consumer's messages. */
  readonly finished: FinishedAttempts;
}

/** A message whose body was unpacked; call `end` when its handler and all that follows from it has ended. */
export interface UnpackedMessage extends OpenedMessage {
  end(): void;
}

const ACK: Settlement = { kind: 'ack' };

/** A message of an ordered group is tried again by its delivery, since nothing of its group may be handled before it. */
interface RetryHere {
  readonly retryInMs: number;
}

/** Brings one held message to its end. It waits only where there is something to wait for: every message pays for each wait. */
export class Delivery {
  /** Whether the latest attempt ended by its signal, and not by itself. */
  private wasInterrupted = false;

  constructor(
    readonly lease: MessageLease,
    readonly listener: Listener,
    private readonly isFifo: boolean,
    private readonly context: ConsumerContext,
    private readonly shared: DeliveryShared,
  ) {}

  /**
   * For a message whose turn has come at once: waits for nothing but the handler and the server.
   * @param onEnd called once, with what broke the delivery off, if anything did
   */
  begin(turn: GrantedTurn, onEnd: (brokeOff?: unknown) => void): void {
    const { lease, context, shared } = this;
    const untrack = this.trackHandler();
    const decided = this.settlement(lease.message, lease.bodyProblem);
    if (decided !== ACK) return void this.end(lease.message, decided, turn, untrack).then(() => onEnd(), onEnd);
    lease.ack(shared.settleSignal, (error) => {
      if (error !== undefined) context.report.settleFailed(lease.message, ACK, error);
      else shared.finished.forget(lease.message);
      onEnd();
    });
    turn.end();
    untrack();
  }

  /**
   * One attempt at the message in its turn.
   * @param attempt its number
   * @param unpack for a packed body: undefined when it is not to be handled any more
   * @returns whether the server knows the end of the message for certain, so that the next of its message group may follow; when
   *   it is to be tried again here; `unhandled` when it was not unpacked
   */
  async attempt(
    attempt: number,
    turn: GrantedTurn,
    unpack: () => Promise<UnpackedMessage | undefined>,
  ): Promise<boolean | RetryHere | 'unhandled'> {
    const { lease } = this;
    const untrack = this.trackHandler();
    const unpacked = lease.isPacked ? await unpack() : undefined;
    if (lease.isPacked && unpacked === undefined) {
      turn.end();
      untrack();
      return 'unhandled';
    }
    const { message, bodyProblem } = unpacked ?? lease;
    const view = attempt === message.deliveryAttempt ? message : { ...message, deliveryAttempt: attempt };
    try {
      return await this.end(view, this.settlement(view, bodyProblem), turn, untrack);
    } finally {
      unpacked?.end();
    }
  }

  /** @returns as {@link attempt} */
  private async end(
    view: MessageView,
    decided: Settlement | undefined | Promise<Settlement | undefined>,
    turn: GrantedTurn,
    untrack: () => void,
  ): Promise<boolean | RetryHere> {
    let settling: Promise<boolean>;
    try {
      const settlement = decided instanceof Promise ? await decided : decided;
      if (this.isFifo && settlement?.kind === 'retry') return { retryInMs: settlement.delayMs };
      settling = this.settle(view, settlement);
    } finally {
      // The settlement tracks its own request: a moved clock finds no gap between the two.
      turn.end();
      untrack();
    }
    return settling;
  }

  /** Who works on what, for a test that waits for it. */
  toString(): string {
    return `${this.lease}: listener ${this.listener.name} of group ${this.context.consumerGroup}`;
  }

  private trackHandler(): () => void {
    return this.context.clock.track('handler of', this);
  }

  /**
   * Gives the message back without having it handled (any more).
   * @param visibleAtMs when it may be redelivered, by monotonic business time
   */
  async handBack(visibleAtMs: number): Promise<void> {
    const { lease, context } = this;
    if (lease.isInDoubt) {
      context.report.leaseLost(lease.message);
      lease.drop();
      return;
    }
    const invisibleDurationMs = Math.max(0, visibleAtMs - context.clock.monotonicMs());
    const settlement = { kind: 'handBack', invisibleDurationMs, suspend: !this.isFifo } as const;
    await lease.settle(settlement, this.shared.settleSignal);
  }

  /** Undefined when the handler's end is unknown: nobody may say anything about the message then. */
  private settlement(
    view: MessageView,
    bodyProblem: string | undefined,
  ): Settlement | undefined | Promise<Settlement | undefined> {
    if (bodyProblem !== undefined) return this.asDeadLetter(view, 'corrupt-body', new DeadLetterError(bodyProblem));
    const { maxAttempts = Number.POSITIVE_INFINITY } = this.listener.policy;
    const failures = this.shared.finished.of(view);
    // It is on its way to the dead letters, and the place of the listener's choice did not take it the last time.
    if (failures !== undefined && failures.count >= maxAttempts) {
      return this.asDeadLetter(view, 'attempts-exhausted', failures.error);
    }
    const result = runHandler(view, new DeliveryRun(view, this.lease, this.listener, this.context, this.shared));
    if (!(result instanceof Promise) && result.kind === 'succeeded' && this.shared.checkpoint === undefined) return ACK;
    return this.settlementOf(view, result);
  }

  private async settlementOf(view: MessageView, run: RunResult | Promise<RunResult>): Promise<Settlement | undefined> {
    if (run instanceof Promise) this.lease.handlerSinceMs = this.context.clock.monotonicMs();
    const result = run instanceof Promise ? await run : run;
    this.lease.handlerSinceMs = undefined;
    if (result.kind === 'abandoned') {
      const text = 'the consumer closed, and the handler went on after its signal';
      this.context.report.failedWithoutEffect(view, new StateError('CLOSED', text));
      return undefined;
    }
    if (result.kind === 'failed') return this.settlementAfter(view, result);
    await this.shared.checkpoint?.('handled-before-ack', view);
    return ACK;
  }

  private async settlementAfter(view: MessageView, failed: RunResult & { kind: 'failed' }): Promise<Settlement> {
    const { policy } = this.listener;
    const { error, wasInterrupted } = failed;
    const finished = wasInterrupted ? 0 : this.shared.finished.add(view, error);
    const settlement = settlementAfterFailure({
      ...policy,
      error,
      attempt: view.deliveryAttempt,
      attemptsOfServer: this.context.settings().maxAttempts,
      finished,
      // In an ordered group the server counts no failure, but each delivery that a deploy cut short.
      wait: this.isFifo ? finished : view.deliveryAttempt,
      backoff: this.backoff(),
      wasInterrupted,
    });
    this.wasInterrupted = wasInterrupted;
    this.context.report.failed(view, error, settlement);
    return settlement.kind === 'retry' ? settlement : this.asDeadLetter(view, settlement.reason, error);
  }

  private asDeadLetter(message: MessageView, reason: DeadLetterReason, error: unknown): Promise<Settlement> {
    const { consumerGroup } = this.context;
    const { policy } = this.listener;
    const { abandonSignal } = this.shared;
    return keepDeadLetter({ message, consumerGroup, reason, error }, this.context, {
      policy,
      backoff: this.backoff(),
      abandonSignal,
    });
  }

  private backoff(): BackoffPolicy {
    return this.listener.policy.backoff ?? this.context.settings().backoff;
  }

  private async settle(view: MessageView, settlement: Settlement | undefined): Promise<boolean> {
    const { lease, context, shared } = this;
    if (settlement === undefined) {
      lease.drop();
      return false;
    }
    const error = await lease.settle(this.leaseSettlement(view, settlement), shared.settleSignal);
    if (error !== undefined) context.report.settleFailed(view, settlement, error);
    else if (settlement.kind !== 'retry') shared.finished.forget(view);
    return error === undefined;
  }

  private leaseSettlement(view: MessageView, settlement: Settlement): LeaseSettlement {
    switch (settlement.kind) {
      case 'ack':
        return settlement;
      case 'retry':
        // What was interrupted counts as no attempt, where the server can be told so.
        return {
          kind: 'postpone',
          invisibleDurationMs: settlement.delayMs,
          suspend: this.wasInterrupted && !this.isFifo,
        };
      case 'deadLetter': {
        const { maxAttempts } = this.context.settings();
        return { kind: 'deadLetter', attempt: view.deliveryAttempt, maxAttempts };
      }
    }
  }
}

/** What a run of the handler asks for: most ask for nothing. */
class DeliveryRun implements RunOptions {
  constructor(
    private readonly view: MessageView,
    private readonly lease: MessageLease,
    private readonly listener: Listener,
    private readonly context: ConsumerContext,
    private readonly shared: DeliveryShared,
  ) {}

  get handler(): MessageHandler {
    return this.listener.handler;
  }

  get timeoutMs(): number | undefined {
    return this.listener.handlerTimeoutMs;
  }

  get ioClock(): Clock {
    return this.context.ioClock;
  }

  get lostSignal(): Abortable {
    return this.lease.lostSignal;
  }

  get forceSignal(): Abortable {
    return this.shared.forceSignal;
  }

  onLost(): void {
    this.context.report.leaseLost(this.view);
  }

  onIgnoredSignal(): void {
    this.context.report.handlerIgnoredItsSignal(this.view);
  }
}
