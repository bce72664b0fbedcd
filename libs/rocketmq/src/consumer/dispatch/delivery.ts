// One message from its turn to its settlement: runs its listener's handler, asks the failure policy, tells the server. When the
// turn comes is the dispatcher's business.

import type { MessageView } from '../../protocol/model/message.js';
import type { Abortable } from '../../support/abort-source.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import { type Clock, SECOND_MS } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import type { LeaseSettlement, MessageLease } from '../lease/message-lease.js';
import { type RunOptions, type RunResult, runHandler } from '../listeners/handler-run.js';
import type { Listener } from '../listeners/message-listener.js';
import type { ConsumerReport } from '../model/consumer-events.js';
import { type DeadLetterReason, type Settlement, settlementAfterFailure } from '../model/failure-policy.js';
import type { MessageHandler } from '../model/handler.js';
import { DeadLetterError } from '../model/outcome-errors.js';
import type { ConsumerSettings } from '../model/settings.js';
import type { OpenedMessage } from '../receive/incoming-message.js';
import type { FinishedAttempts } from './finished-attempts.js';
import { keepDeadLetter } from './keep-dead-letter.js';

/** A place in the flow where a crash test may stop the process. */
export type ConsumerCheckpoint = (point: 'handled-before-ack', message: MessageView) => Promise<void>;

/** What deliveries need of their consumer. */
export interface DeliveryPort {
  readonly clock: Clock;
  readonly ioClock: Clock;
  readonly logger: Logger;
  readonly report: ConsumerReport;
  readonly consumerGroup: string;
  readonly checkpoint: ConsumerCheckpoint | undefined;
  settings(): ConsumerSettings;
  /** Fires when handlers must end. */
  readonly forceSignal: Abortable;
  /** Fires when hooks of dead letters are no longer waited for. */
  readonly abandonSignal: Abortable;
  /** Of the consumer's messages. */
  readonly finished: FinishedAttempts;
  /** Fires when settlements are no longer repeated. */
  readonly settleSignal: AbortSignal;
}

/** A turn to run the handler: call `end` when it has ended. Or none, and when the message may come again. */
export type Turn =
  | { readonly kind: 'granted'; end(): void }
  | { readonly kind: 'refused'; readonly visibleInMs: number };

/** A message that was unpacked; call `end` when its handler and all that follows from it has ended. */
export interface UnpackedMessage extends OpenedMessage {
  end(): void;
}

/** What a delivery waits for. The waits are cut short when the lease cannot be renewed or the consumer stops. */
export interface Turns {
  /** A turn that needs no wait; undefined when there is none. */
  turnNow(lease: MessageLease, listener: Listener): Turn | undefined;
  turn(lease: MessageLease, listener: Listener): Promise<Turn>;
  /** The message with its body unpacked; undefined when the wait for room was cut short. */
  unpacked(lease: MessageLease): Promise<UnpackedMessage | undefined>;
  /** False when it was cut short. */
  waitToRetry(lease: MessageLease, durationMs: number): Promise<boolean>;
  /** Resolves when the message may be given back. */
  handBackAllowed(lease: MessageLease): Promise<void>;
}

const ACK: Settlement = { kind: 'ack' };

/** A message of an ordered group is tried again by its delivery, since nothing of its group may be handled before it. */
interface RetryHere {
  readonly retryInMs: number;
}

/** When a message comes again that no listener takes. */
const UNMATCHED_MS = 10 * SECOND_MS;

/** Brings one held message to its end. It waits only where there is something to wait for: every message pays for each wait. */
export class Delivery {
  /** Whether the latest attempt ended by its signal, and not by itself. */
  private wasInterrupted = false;

  constructor(
    private readonly lease: MessageLease,
    private readonly listener: Listener,
    private readonly isFifo: boolean,
    private readonly port: DeliveryPort,
    private readonly turns: Turns,
  ) {}

  /**
   * For a message that no other waits for: begins at once where it can, and waits for nothing but the handler and the server.
   * @param onEnd told once, with what broke the delivery off, if anything did
   */
  begin(onEnd: (brokeOff?: unknown) => void): void {
    const { lease, port, listener } = this;
    const turn = listener.isNobody || lease.isPacked ? undefined : this.turns.turnNow(lease, listener);
    if (turn?.kind !== 'granted') return void this.run().then(() => onEnd(), onEnd);
    const untrack = this.trackHandler();
    const decided = this.settlement(lease.message, lease.bodyProblem);
    if (decided !== ACK) return void this.end(lease.message, decided, turn, untrack).then(() => onEnd(), onEnd);
    lease.ack(port.settleSignal, (error) => {
      if (error !== undefined) port.report.settleFailed(lease.message, ACK, error);
      else port.finished.forget(lease.message);
      onEnd();
    });
    turn.end();
    untrack();
  }

  /**
   * @returns whether the server knows the end of the message for certain, so that the next of its message group may follow
   */
  async run(): Promise<boolean> {
    if (this.listener.isNobody) return this.handBackUnmatched();
    for (let attempt = this.lease.message.deliveryAttempt; ; attempt++) {
      const turn = this.turns.turnNow(this.lease, this.listener) ?? (await this.turns.turn(this.lease, this.listener));
      if (turn.kind === 'refused') return this.letGo(turn.visibleInMs);
      const end = await this.attempt(attempt, turn);
      if (typeof end === 'boolean') return end;
      const retryAtMs = this.port.clock.monotonicMs() + end.retryInMs;
      const isDue = await this.turns.waitToRetry(this.lease, end.retryInMs);
      if (!isDue) return this.letGo(retryAtMs - this.port.clock.monotonicMs());
    }
  }

  /** @returns as {@link end} */
  private async attempt(attempt: number, turn: Turn & { kind: 'granted' }): Promise<boolean | RetryHere> {
    const { lease } = this;
    const untrack = this.trackHandler();
    const unpacked = lease.isPacked ? await this.turns.unpacked(lease) : undefined;
    if (lease.isPacked && unpacked === undefined) {
      turn.end();
      untrack();
      return this.letGo(0);
    }
    const { message, bodyProblem } = unpacked ?? lease;
    const view = attempt === message.deliveryAttempt ? message : { ...message, deliveryAttempt: attempt };
    try {
      return await this.end(view, this.settlement(view, bodyProblem), turn, untrack);
    } finally {
      unpacked?.end();
    }
  }

  /** @returns as {@link run}, or when the message of an ordered group is to be tried again */
  private async end(
    view: MessageView,
    decided: Settlement | undefined | Promise<Settlement | undefined>,
    turn: Turn & { kind: 'granted' },
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
    return `${this.lease}: listener ${this.listener.name} of group ${this.port.consumerGroup}`;
  }

  private trackHandler(): () => void {
    return this.port.clock.track('handler of', this);
  }

  /**
   * Gives the message back without having it handled (any more).
   * @returns false, for the convenience of who waits for the end of a delivery
   */
  async letGo(visibleInMs: number): Promise<false> {
    const { lease, port } = this;
    const visibleAtMs = port.clock.monotonicMs() + visibleInMs;
    await this.turns.handBackAllowed(lease);
    if (lease.isInDoubt) {
      port.report.leaseLost(lease.message);
      lease.drop();
      return false;
    }
    const invisibleDurationMs = Math.max(0, visibleAtMs - port.clock.monotonicMs());
    await lease.settle({ kind: 'handBack', invisibleDurationMs, suspend: !this.isFifo }, port.settleSignal);
    return false;
  }

  private handBackUnmatched(): Promise<false> {
    this.port.report.unmatched(this.lease.message, UNMATCHED_MS);
    return this.letGo(UNMATCHED_MS);
  }

  /** Undefined when the handler's end is unknown: nobody may say anything about the message then. */
  private settlement(
    view: MessageView,
    bodyProblem: string | undefined,
  ): Settlement | undefined | Promise<Settlement | undefined> {
    if (bodyProblem !== undefined) return this.asDeadLetter(view, 'corrupt-body', new DeadLetterError(bodyProblem));
    const { port } = this;
    const { maxAttempts = Number.POSITIVE_INFINITY } = this.listener.policy;
    const failures = port.finished.of(view);
    // It is on its way to the dead letters, and the place of the listener's choice did not take it the last time.
    if (failures !== undefined && failures.count >= maxAttempts) {
      return this.asDeadLetter(view, 'attempts-exhausted', failures.error);
    }
    const result = runHandler(view, new DeliveryRun(view, this.lease, this.listener, port));
    if (!(result instanceof Promise) && result.kind === 'succeeded' && port.checkpoint === undefined) return ACK;
    return this.settlementOf(view, result);
  }

  private async settlementOf(view: MessageView, run: RunResult | Promise<RunResult>): Promise<Settlement | undefined> {
    if (run instanceof Promise) this.lease.handlerSinceMs = this.port.clock.monotonicMs();
    const result = run instanceof Promise ? await run : run;
    this.lease.handlerSinceMs = undefined;
    if (result.kind === 'abandoned') {
      const text = 'the consumer closed, and the handler went on after its signal';
      this.port.report.failedWithoutEffect(view, new StateError('CLOSED', text));
      return undefined;
    }
    if (result.kind === 'failed') return this.settlementAfter(view, result);
    await this.port.checkpoint?.('handled-before-ack', view);
    return ACK;
  }

  private async settlementAfter(view: MessageView, failed: RunResult & { kind: 'failed' }): Promise<Settlement> {
    const { policy } = this.listener;
    const { error, wasInterrupted } = failed;
    const { settings } = this.port;
    const finished = wasInterrupted ? 0 : this.port.finished.add(view, error);
    const settlement = settlementAfterFailure({
      ...policy,
      error,
      attempt: view.deliveryAttempt,
      attemptsOfServer: settings().maxAttempts,
      finished,
      // In an ordered group the server counts no failure, but each delivery that a deploy cut short.
      wait: this.isFifo ? finished : view.deliveryAttempt,
      backoff: this.backoff(),
      wasInterrupted,
    });
    this.wasInterrupted = wasInterrupted;
    this.port.report.failed(view, error, settlement);
    return settlement.kind === 'retry' ? settlement : this.asDeadLetter(view, settlement.reason, error);
  }

  private asDeadLetter(message: MessageView, reason: DeadLetterReason, error: unknown): Promise<Settlement> {
    const { consumerGroup, report, settings, ioClock, abandonSignal } = this.port;
    const { policy } = this.listener;
    const attemptsOfServer = settings().maxAttempts;
    const deadLetter = { message, consumerGroup, reason, error };
    const given = { policy, report, backoff: this.backoff(), attemptsOfServer, ioClock, abandonSignal };
    return keepDeadLetter(deadLetter, given);
  }

  private backoff(): BackoffPolicy {
    return this.listener.policy.backoff ?? this.port.settings().backoff;
  }

  private async settle(view: MessageView, settlement: Settlement | undefined): Promise<boolean> {
    const { lease, port } = this;
    if (settlement === undefined) {
      lease.drop();
      return false;
    }
    const error = await lease.settle(this.leaseSettlement(view, settlement), port.settleSignal);
    if (error !== undefined) port.report.settleFailed(view, settlement, error);
    else if (settlement.kind !== 'retry') port.finished.forget(view);
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
        const { maxAttempts } = this.port.settings();
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
    private readonly port: DeliveryPort,
  ) {}

  get handler(): MessageHandler {
    return this.listener.handler;
  }

  get timeoutMs(): number | undefined {
    return this.listener.handlerTimeoutMs;
  }

  get ioClock(): Clock {
    return this.port.ioClock;
  }

  get lostSignal(): Abortable {
    return this.lease.lostSignal;
  }

  get forceSignal(): Abortable {
    return this.port.forceSignal;
  }

  onLost(): void {
    this.port.report.leaseLost(this.view);
  }

  onIgnoredSignal(): void {
    this.port.report.handlerIgnoredItsSignal(this.view);
  }
}
