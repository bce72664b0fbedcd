// What a consumer tells its owner: hooks and log lines. Nothing that a hook throws comes back into the consumer.

import type { SessionEvents } from '../../client/session-events.js';
import type { MessageView } from '../../protocol/model/message.js';
import { describeError, type LogFields, type Logger } from '../../support/logger.js';
import type { PushConsumerTelemetry } from './consumer-telemetry.js';
import type { DeadLetterReason, FailureSettlement, Settlement } from './failure-policy.js';

/** How many messages one log line names. */
const MOST_IDS = 10;

/** Hooks of a consumer. What they throw is logged and changes nothing. */
export interface ConsumerEvents extends SessionEvents {
  /** A handler failed; `settlement` is what follows. */
  onFailed(message: MessageView, error: unknown, settlement: FailureSettlement): void;
  /**
   * The message is about to be moved to the dead letters; awaited before the move. Best effort: a process that dies during
   * the last attempt leaves the move to the server, unseen. It is waited for up to 30 s, then the message is moved. It is called again
   * when the move fails and the message is redelivered.
   */
  onDeadLetter(message: MessageView, reason: DeadLetterReason, error: unknown): void | Promise<void>;
  /** The message is no longer ours: another consumer may have it. A handler that runs is told by its signal. */
  onLeaseLost(message: MessageView): void;
  /** The server does not know for certain how the message ended: it may be redelivered. */
  onSettleFailed(message: MessageView, settlement: Settlement, error: Error): void;
  /** The consumer closes and its grace period is over: the signals of the handlers of these messages fire now. They come again. */
  onGraceOver(messages: readonly MessageView[]): void;
}

/** Calls the hooks and writes the log lines that belong to them. */
export class ConsumerReport {
  constructor(
    private readonly events: Partial<ConsumerEvents>,
    private readonly logger: Logger,
    private readonly consumerGroup: string,
    private readonly telemetry?: PushConsumerTelemetry,
  ) {}

  failed(message: MessageView, error: unknown, settlement: FailureSettlement): void {
    const next = settlement.kind === 'retry' ? `retried in ${settlement.delayMs} ms` : 'moved to the dead letters';
    const { name } = error instanceof Error ? error : { name: typeof error };
    const fields = { ...this.fields(message), error: describeError(error), errorName: name };
    this.logger.error(`a handler failed; the message is ${next}`, fields);
    this.telemetry?.failed(message, error, settlement);
    this.call('onFailed', () => this.events.onFailed?.(message, error, settlement));
  }

  /**
   * @param ownHook that of the message's listener
   * @param inTime bounds the wait for a hook
   */
  async deadLetter(
    message: MessageView,
    reason: DeadLetterReason,
    error: unknown,
    ownHook: (() => unknown) | undefined,
    inTime: (hook: () => unknown) => Promise<unknown>,
  ): Promise<void> {
    const fields = { ...this.fields(message), reason, error: describeError(error) };
    this.logger.error('a message becomes a dead letter', fields);
    this.telemetry?.deadLetter(message, reason);
    const { onDeadLetter } = this.events;
    const hook = onDeadLetter && (() => this.events.onDeadLetter?.(message, reason, error));
    for (const one of [hook, ownHook]) if (one !== undefined) await this.call('onDeadLetter', () => inTime(one));
  }

  /** The place of the listener's choice did not take it. */
  deadLetterNotKept(message: MessageView, error: unknown, settlement: FailureSettlement): void {
    const next =
      settlement.kind === 'retry' ? `retried in ${settlement.delayMs} ms` : "moved to the broker's dead letters";
    const fields = { ...this.fields(message), error: describeError(error) };
    this.logger.error(`a dead letter could not be kept where it belongs; it is ${next}`, fields);
  }

  unmatched(message: MessageView, comesInMs: number): void {
    const text =
      `no listener takes this message; it is handed back and comes again in ${comesInMs} ms. Do all consumers of the group subscribe ` +
      'to the same? A new filter needs a new group';
    this.logger.warn(text, { ...this.fields(message), tag: message.tag });
  }

  leaseLost(message: MessageView): void {
    this.logger.warn('the lease of a message was lost; it may be redelivered', this.fields(message));
    this.call('onLeaseLost', () => this.events.onLeaseLost?.(message));
  }

  settleFailed(message: MessageView, settlement: Settlement, error: Error): void {
    const fields = { ...this.fields(message), settlement: settlement.kind, error: describeError(error) };
    this.logger.warn('the server may not know how a message ended; it may be redelivered', fields);
    this.call('onSettleFailed', () => this.events.onSettleFailed?.(message, settlement, error));
  }

  graceOver(messages: readonly MessageView[]): void {
    const ids = messages.map(({ messageId }) => messageId).slice(0, MOST_IDS);
    const text =
      'the grace period is over: the signals of the handlers that still run fire now; their messages come again unless they ' +
      'end well within a second';
    this.logger.warn(text, { consumerGroup: this.consumerGroup, messages: messages.length, messageIds: ids });
    this.call('onGraceOver', () => this.events.onGraceOver?.(messages));
  }

  /** A handler failed or was given up, and nothing follows from that for the message. */
  failedWithoutEffect(message: MessageView, error: unknown): void {
    this.telemetry?.failed(message, error, undefined);
  }

  handlerIgnoredItsSignal(message: MessageView): void {
    this.logger.error('a handler goes on although its signal has fired; it is not waited for', this.fields(message));
  }

  private fields(message: MessageView): LogFields {
    const { topic, messageId, keys, deliveryAttempt } = message;
    return { consumerGroup: this.consumerGroup, topic, messageId, keys, deliveryAttempt };
  }

  private async call(name: keyof ConsumerEvents, hook: () => unknown): Promise<void> {
    try {
      await hook();
    } catch (error) {
      this.logger.error(`${name} failed; the message goes on as if it had not`, {
        consumerGroup: this.consumerGroup,
        error: describeError(error),
      });
    }
  }
}
