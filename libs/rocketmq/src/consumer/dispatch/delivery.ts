// The delivery of one message in its turn: runs its listener's handler, asks the failure policy, settles the message. The dispatcher
// decides when its turn comes.
// Over 300 lines: each way in which a delivery ends must be seen beside the others.

import type { MessageView } from '../../protocol/model/message.js';
import { isForAnotherGroup, REPLAY_GROUP_PROPERTY } from '../../protocol/model/names.js';
import type { Abortable } from '../../support/abort-source.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import type { CheckpointHook } from '../../support/checkpoints.js';
import { StateError } from '../../support/errors.js';
import type { LeaseSettlement } from '../lease/lease-settlement.js';
import type { MessageLease } from '../lease/message-lease.js';
import { type RunResult, runHandler } from '../listeners/handler-run.js';
import type { Listener } from '../listeners/message-listener.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import {
  type DeadLetterReason,
  isUncounted,
  type Settlement,
  settlementAfterFailure,
} from '../model/failure-policy.js';
import { retriesOf } from '../model/message-retries.js';
import { DeadLetterError } from '../model/outcome-errors.js';
import type { OpenedMessage } from '../receive/incoming-message.js';
import { DeliveryRun } from './delivery-run.js';
import type { FinishedAttempts } from './finished-attempts.js';
import { keepDeadLetter } from './keep-dead-letter.js';
import type { GrantedTurn } from './listener-turns.js';

/** What the deliveries of a consumer share, and how they end when it closes. */
export interface DeliveryShared {
  readonly checkpoint: CheckpointHook | undefined;
  /** Fires when handlers must end. */
  readonly forceSignal: Abortable;
  /** Fires when hooks of dead letters are no longer waited for. */
  readonly abandonSignal: Abortable;
  /** Fires when settlements are no longer repeated. */
  readonly settleSignal: Abortable;
  /** The finished attempts at the consumer's messages. */
  readonly finished: FinishedAttempts;
}

/** A message whose body was decompressed; call `end` when its handler and the settlement have ended. */
export interface UnpackedMessage extends OpenedMessage {
  end(): void;
}

const ACK: Settlement = { kind: 'ack' };

/** A message of an ordered group is retried by its delivery, since nothing of its group may be handled before it. */
interface RetryHere {
  readonly retryInMs: number;
  /** Whether the next attempt has the next number. */
  readonly isCounted: boolean;
}

/** Brings one held message to its end. It waits only where necessary, because every message bears the cost of each wait. */
export class Delivery {
  /** Whether the latest attempt ended because its signal fired, or its handler asked that it does not count. */
  private keepsAttempt = false;

  constructor(
    readonly lease: MessageLease,
    readonly listener: Listener,
    private readonly isFifo: boolean,
    private readonly context: ConsumerContext,
    private readonly shared: DeliveryShared,
  ) {}

  /**
   * For a message that need not wait for its turn: waits for the handler and the server only.
   * @param onEnd called once, with the unexpected error of the delivery, if any
   */
  begin(turn: GrantedTurn, onEnd: (brokeOff?: unknown) => void): void {
    const { lease, context, shared } = this;
    const untrack = this.trackHandler();
    const decided = this.settlement(lease.message, lease.bodyProblem, turn);
    const ended = (settlement: Settlement | undefined): void => {
      if (settlement !== ACK) {
        this.end(lease.message, settlement, turn, untrack).then(() => onEnd(), onEnd);
        return;
      }
      lease.ack(shared.settleSignal, (error) => {
        if (error !== undefined) context.report.settleFailed(lease.message, ACK, error);
        else shared.finished.forget(lease.message);
        onEnd();
      });
      turn.end();
      untrack();
    };
    if (!(decided instanceof Promise)) ended(decided);
    else
      decided.then(ended).catch((error: unknown) => {
        turn.end();
        untrack();
        onEnd(error);
      });
  }

  /**
   * One attempt at the message in its turn.
   * @param attempt its number
   * @param unpack for a compressed body: undefined when it is no longer to be handled
   * @returns whether the message is certainly settled on the server, so that the next of its message group may follow; when
   *   to retry it here; `unhandled` when it was not decompressed, or has lost its turn
   */
  async attempt(
    attempt: number,
    turn: GrantedTurn,
    unpack: () => Promise<UnpackedMessage | undefined>,
  ): Promise<boolean | RetryHere | 'unhandled'> {
    const { lease } = this;
    const untrack = this.trackHandler();
    const unpacked = lease.isPacked ? await unpack() : undefined;
    if ((lease.isPacked && unpacked === undefined) || turn.lost?.aborted) {
      unpacked?.end();
      turn.end();
      untrack();
      return 'unhandled';
    }
    const { message, bodyProblem } = unpacked ?? lease;
    const view = attempt === message.deliveryAttempt ? message : { ...message, deliveryAttempt: attempt };
    try {
      return await this.end(view, this.settlement(view, bodyProblem, turn), turn, untrack);
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
      if (this.isFifo && settlement?.kind === 'retry') {
        return { retryInMs: settlement.delayMs, isCounted: !this.keepsAttempt };
      }
      settling = this.settle(view, settlement);
    } finally {
      // The settlement tracks its own request: a moved clock finds no gap between the two.
      turn.end();
      untrack();
    }
    return settling;
  }

  /** Names the listener and its message, for a test that waits for it. */
  toString(): string {
    return `${this.lease}: listener ${this.listener.name} of group ${this.context.consumerGroup}`;
  }

  private trackHandler(): () => void {
    return this.context.clock.track('handler of', this);
  }

  /**
   * Releases the message without handling it (any more).
   * @param visibleAtMs when it may be redelivered, by monotonic business time
   * @param takenForMs for how long canceled polls of this consumer would still take a message of an ordered group, and cost it an attempt each; 0 or less
   *   when they would not
   */
  async release(visibleAtMs: number, takenForMs: number): Promise<void> {
    const { lease, context } = this;
    if (lease.isInDoubt) {
      context.report.leaseLost(lease.message);
      lease.drop();
      return;
    }
    const invisibleDurationMs = Math.max(0, this.isFifo ? takenForMs : 0, visibleAtMs - context.clock.monotonicMs());
    // Of a lite topic, servers count the first release only.
    const suspend = !this.isFifo || context.settings(lease.endpoint).isLite;
    const settlement = { kind: 'release', invisibleDurationMs, suspend, isRetry: true } as const;
    await lease.settle(settlement, this.shared.settleSignal);
  }

  /** Undefined when the handler's result is unknown: then nothing may be settled. */
  private settlement(
    view: MessageView,
    bodyProblem: string | undefined,
    turn: GrantedTurn,
  ): Settlement | undefined | Promise<Settlement | undefined> {
    const mark = view.properties[REPLAY_GROUP_PROPERTY];
    if (mark !== undefined && isForAnotherGroup(mark, { ...view, consumerGroup: this.context.consumerGroup }))
      return ACK;
    if (bodyProblem !== undefined) return this.asDeadLetter(view, 'corrupt-body', new DeadLetterError(bodyProblem));
    const { isLite, maxAttempts: attemptsOfServer } = this.context.settings(this.lease.endpoint);
    const failures = this.shared.finished.of(view);
    // Of a lite topic, no server dead-letters a message, so the last attempt may be long ago.
    const most = isLite ? attemptsOfServer : Number.POSITIVE_INFINITY;
    // It was about to be dead-lettered, and the listener's `deadLetterTo` did not store it the last time.
    if (failures !== undefined && failures.count >= Math.min(this.maxAttempts(view) ?? most, most)) {
      return this.asDeadLetter(view, 'attempts-exhausted', failures.error);
    }
    if (!this.listener.isBatch) turn.begin();
    const result = runHandler(
      view,
      new DeliveryRun(view, this.lease, this.listener, this.context, this.shared.forceSignal, turn),
    );
    if (!(result instanceof Promise)) return this.settlementOf(view, result);
    this.lease.handlerSinceMs = this.context.clock.monotonicMs();
    return result.then((late) => {
      this.lease.handlerSinceMs = undefined;
      return this.settlementOf(view, late);
    });
  }

  private settlementOf(view: MessageView, result: RunResult): Settlement | Promise<Settlement | undefined> {
    const isHandled = result.kind === 'succeeded' && this.shared.checkpoint === undefined;
    return isHandled ? ACK : this.furtherSettlement(view, result);
  }

  private async furtherSettlement(view: MessageView, result: RunResult): Promise<Settlement | undefined> {
    if (result.kind === 'abandoned') {
      const text = 'the consumer was closed, and the handler continued after its signal';
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
    this.keepsAttempt = wasInterrupted || isUncounted(error);
    const finished = this.keepsAttempt ? 0 : this.shared.finished.add(view, error);
    const { endpoint } = this.lease;
    const { maxAttempts: attemptsOfServer } = this.context.settings(endpoint);
    const settlement = settlementAfterFailure({
      ...policy,
      error,
      attempt: view.deliveryAttempt,
      attemptsOfServer,
      // An ordered message is retried here, where only this delivery counts.
      isCountedAnyway: !this.isFifo && !this.context.releasesFree(endpoint),
      finished,
      maxAttempts: this.maxAttempts(view),
      // In an ordered group the server counts no failures, but each delivery that a deployment interrupted.
      wait: this.isFifo ? finished : view.deliveryAttempt,
      backoff: retriesOf(view.properties).backoff ?? this.backoff(),
      wasInterrupted,
    });
    this.context.report.failed(view, error, settlement, wasInterrupted);
    return settlement.kind === 'retry' ? settlement : this.asDeadLetter(view, settlement.reason, error);
  }

  private asDeadLetter(message: MessageView, reason: DeadLetterReason, error: unknown): Promise<Settlement> {
    const { consumerGroup, report, ioClock } = this.context;
    const { policy } = this.listener;
    const { abandonSignal } = this.shared;
    const { endpoint, isPacked, message: stored } = this.lease;
    const settings = () => this.context.settings(endpoint);
    return keepDeadLetter(
      { message, consumerGroup, reason, error },
      { report, ioClock, settings, packedBody: isPacked ? stored.body : undefined },
      {
        policy,
        backoff: this.backoff(),
        abandonSignal,
      },
    );
  }

  /** Those of the listener, or fewer if the sender wants fewer; undefined: those of the server. */
  private maxAttempts({ properties }: MessageView): number | undefined {
    const ofListener = this.listener.policy.maxAttempts;
    const { maxAttempts = ofListener } = retriesOf(properties);
    return maxAttempts === undefined ? undefined : Math.min(maxAttempts, ofListener ?? maxAttempts);
  }

  private backoff(): BackoffPolicy {
    return this.listener.policy.backoff ?? this.context.settings(this.lease.endpoint).backoff;
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
        return {
          kind: 'postpone',
          invisibleDurationMs: settlement.delayMs,
          suspend: this.keepsAttempt && !this.isFifo,
          isRetry: true,
        };
      case 'deadLetter': {
        const { maxAttempts } = this.context.settings(this.lease.endpoint);
        return { kind: 'deadLetter', attempt: view.deliveryAttempt, maxAttempts };
      }
    }
  }
}
