// One message from its turn to its settlement: runs the handler, asks the failure policy, tells the server. When the turn
// comes is the dispatcher's business.

import type { MessageView } from '../protocol/message.js';
import type { BackoffPolicy } from '../support/backoff.js';
import type { Clock } from '../support/clock.js';
import type { Logger } from '../support/logger.js';
import type { ConsumerReport } from './consumer-events.js';
import { type FailureSettlement, type Settlement, settlementAfterFailure } from './failure-policy.js';
import { type MessageHandler, type RunResult, runHandler } from './handler-run.js';
import type { LeaseSettlement, MessageLease } from './message-lease.js';
import { DeadLetterError } from './outcome-errors.js';
import type { ConsumerSettings } from './settings.js';

/** A place in the flow where a crash test may stop the process. */
export type ConsumerCheckpoint = (point: 'handled-before-ack', message: MessageView) => Promise<void>;

/** What deliveries need of their consumer. */
export interface DeliveryPort {
  readonly clock: Clock;
  readonly ioClock: Clock;
  readonly logger: Logger;
  readonly report: ConsumerReport;
  readonly handler: MessageHandler;
  readonly handlerTimeoutMs: number | undefined;
  /** Instead of the server's. */
  readonly backoff: BackoffPolicy | undefined;
  readonly checkpoint: ConsumerCheckpoint | undefined;
  settings(): ConsumerSettings;
  /** Fires when handlers must end. */
  readonly forceSignal: AbortSignal;
  /** Fires when settlements are no longer repeated. */
  readonly settleSignal: AbortSignal;
}

/** What a delivery waits for. Both waits are cut short when the lease cannot be renewed or the consumer stops. */
export interface Turns {
  /** A turn to run the handler: call the result when it has ended. Undefined: no handler may begin. */
  turn(lease: MessageLease): Promise<(() => void) | undefined>;
  /** False when it was cut short. */
  waitToRetry(lease: MessageLease, durationMs: number): Promise<boolean>;
  /** Resolves when the message may be given back. */
  handBackAllowed(lease: MessageLease): Promise<void>;
}

/** Brings one held message to its end. */
export class Delivery {
  constructor(
    private readonly lease: MessageLease,
    private readonly isFifo: boolean,
    private readonly port: DeliveryPort,
    private readonly turns: Turns,
  ) {}

  /**
   * @returns whether the server knows the end of the message for certain, so that the next of its message group may follow
   */
  async run(): Promise<boolean> {
    const { message, bodyProblem } = this.lease;
    for (let attempt = message.deliveryAttempt; ; attempt++) {
      const endTurn = await this.turns.turn(this.lease);
      if (endTurn === undefined) return this.letGo(0);
      const view = attempt === message.deliveryAttempt ? message : { ...message, deliveryAttempt: attempt };
      const untrack = this.port.clock.track(`handler of message ${message.messageId} from "${message.topic}"`);
      let settling: Promise<boolean> | undefined;
      let retryInMs = 0;
      try {
        const result: RunResult =
          bodyProblem === undefined
            ? await this.handle(view)
            : { kind: 'failed', error: new DeadLetterError(bodyProblem) };
        const settlement = this.settlementOf(view, result);
        if (this.isFifo && settlement?.kind === 'retry') retryInMs = settlement.delayMs;
        else settling = this.settle(view, settlement, result);
      } finally {
        // The settlement tracks its own request: a moved clock finds no gap between the two.
        endTurn();
        untrack();
      }
      if (settling !== undefined) return settling;
      const retryAtMs = this.port.clock.nowMs() + retryInMs;
      const isDue = await this.turns.waitToRetry(this.lease, retryInMs);
      if (!isDue) return this.letGo(retryAtMs - this.port.clock.nowMs());
    }
  }

  /**
   * Gives the message back without having it handled (any more).
   * @returns false, for the convenience of who waits for the end of a delivery
   */
  async letGo(visibleInMs: number): Promise<false> {
    const { lease, port } = this;
    const visibleAtMs = port.clock.nowMs() + visibleInMs;
    await this.turns.handBackAllowed(lease);
    if (lease.doubtSignal.aborted) {
      port.report.leaseLost(lease.message);
      lease.drop();
      return false;
    }
    const invisibleDurationMs = Math.max(0, visibleAtMs - port.clock.nowMs());
    await lease.settle({ kind: 'handBack', invisibleDurationMs, suspend: !this.isFifo }, port.settleSignal);
    return false;
  }

  private async handle(view: MessageView): Promise<RunResult> {
    const { lease, port } = this;
    const onLost = (): void => port.report.leaseLost(view);
    lease.lostSignal.addEventListener('abort', onLost, { once: true });
    try {
      const result = await runHandler(view, {
        handler: port.handler,
        timeoutMs: port.handlerTimeoutMs,
        ioClock: port.ioClock,
        lostSignal: lease.lostSignal,
        forceSignal: port.forceSignal,
        onIgnoredSignal: () => port.report.handlerIgnoredItsSignal(view),
      });
      if (result.kind === 'succeeded') await port.checkpoint?.('handled-before-ack', view);
      return result;
    } finally {
      lease.lostSignal.removeEventListener('abort', onLost);
    }
  }

  /** Undefined when the handler's end is unknown: nobody may say anything about the message then. */
  private settlementOf(view: MessageView, result: RunResult): Settlement | undefined {
    if (result.kind === 'abandoned') return undefined;
    if (result.kind === 'succeeded') return { kind: 'ack' };
    if (this.lease.bodyProblem !== undefined) return { kind: 'deadLetter', reason: 'corrupt-body' };
    const { maxAttempts, backoff } = this.port.settings();
    const settlement: FailureSettlement = settlementAfterFailure({
      error: result.error,
      attempt: view.deliveryAttempt,
      maxAttempts,
      backoff: this.port.backoff ?? backoff,
    });
    this.port.report.failed(view, result.error, settlement);
    return settlement;
  }

  private async settle(view: MessageView, settlement: Settlement | undefined, result: RunResult): Promise<boolean> {
    const { lease, port } = this;
    if (settlement === undefined) {
      lease.drop();
      return false;
    }
    if (settlement.kind === 'deadLetter') {
      const untrack = port.clock.track(`onDeadLetter of message ${view.messageId}`);
      const error = result.kind === 'failed' ? result.error : undefined;
      await port.report.deadLetter(view, settlement.reason, error).finally(untrack);
    }
    const error = await lease.settle(this.leaseSettlement(view, settlement), port.settleSignal);
    if (error !== undefined) port.report.settleFailed(view, settlement, error);
    return error === undefined;
  }

  private leaseSettlement(view: MessageView, settlement: Settlement): LeaseSettlement {
    switch (settlement.kind) {
      case 'ack':
        return settlement;
      case 'retry':
        return { kind: 'postpone', invisibleDurationMs: settlement.delayMs, suspend: false };
      case 'deadLetter': {
        const { maxAttempts } = this.port.settings();
        return { kind: 'deadLetter', attempt: view.deliveryAttempt, maxAttempts };
      }
    }
  }
}
