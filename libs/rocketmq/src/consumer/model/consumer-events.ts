// Reports what happens in a consumer: hooks and log lines. Errors of a hook do not reach the consumer.

import type { Connection } from '../../client/connection.js';
import type { SessionEvents } from '../../client/session-events.js';
import type { GroupPause } from '../../protocol/model/group-pause.js';
import type { MessageView } from '../../protocol/model/message.js';
import { describeError, type LogFields, type Logger } from '../../support/logger.js';
import type { PushConsumerTelemetry } from './consumer-telemetry.js';
import type { DeadLetter, DeadLetterReason, FailureSettlement, Settlement } from './failure-policy.js';

/** How many messages one log line lists. */
const MAX_IDS = 10;

/** The log line for messages whose leases had ended before they were received. */
export const RECEIVED_TOO_LATE =
  'messages were received too late: their leases have ended, so they are not handled here, and they are redelivered. The process was ' +
  'suspended, its event loop was blocked, or the network held the answer back';

/** Hooks of a consumer. What they throw is logged and has no effect. */
export interface ConsumerEvents extends SessionEvents {
  /** A handler failed; `settlement` is what follows. */
  onFailed(message: MessageView, error: unknown, settlement: FailureSettlement): void;
  /**
   * The message is about to be dead-lettered; awaited before the move. Best effort: when a process dies during
   * the last attempt, the server moves the message and this hook is not called. It is waited for up to 30 s, then the message is moved. It
   * is called again
   * when the move fails and the message is redelivered.
   */
  onDeadLetter(message: MessageView, reason: DeadLetterReason, error: unknown): void | Promise<void>;
  /**
   * The lease of a message is lost: another consumer may have the message. The signal of a running handler fires. Also called for a
   * message that no handler gets, because this process was suspended or blocked until its lease was over.
   */
  onLeaseLost(message: MessageView): void;
  /** It is unknown whether the server has settled the message: it may be redelivered. */
  onSettleFailed(message: MessageView, settlement: Settlement, error: Error): void;
  /** The consumer is closing and its grace period is over: the signals of the handlers of these messages fire now. They are redelivered. */
  onGraceOver(messages: readonly MessageView[]): void;
  /**
   * The server has ended the subscription to a lite topic: in an exclusive group another consumer has subscribed to it. Messages that were
   * received before are still handled.
   */
  onLiteTopicLost(topic: string, liteTopic: string): void;
  /** The servers have paused the group, over all its instances: no handler starts until they resume it. */
  onGroupPaused(pause: GroupPause): void;
  /** The servers deliver to the group again. */
  onGroupResumed(): void;
}

/** Calls the hooks and writes their log lines. */
export class ConsumerReporter {
  private readonly logger: Logger;
  private readonly command: Connection['command'];
  private readonly place: Connection['place'];

  constructor(
    private readonly events: Partial<ConsumerEvents>,
    {
      logger,
      command,
      place = 'elsewhere',
    }: Pick<Connection, 'logger' | 'command'> & Partial<Pick<Connection, 'place'>>,
    private readonly consumerGroup: string,
    private readonly telemetry?: PushConsumerTelemetry,
  ) {
    this.logger = logger;
    this.command = command;
    this.place = place;
  }

  /** @param wasInterrupted whether its signal had fired: what ended it is logged, and it does not count as a failure */
  failed(message: MessageView, error: unknown, settlement: FailureSettlement, wasInterrupted: boolean): void {
    // A dead letter has a line of its own.
    if (settlement.kind === 'retry') {
      const fields = { ...this.fields(message), ...errorFields(error) };
      if (wasInterrupted) this.logger.info('a handler was interrupted; the message is retried', fields);
      else this.logger.warn(`a handler failed; the message is retried in ${settlement.delayMs} ms`, fields);
    }
    this.telemetry?.failed(message, error, settlement);
    void this.call('onFailed', () => this.events.onFailed?.(message, error, settlement));
  }

  /**
   * @param isElsewhere whether the listener stores it, and not the broker
   * @param ownHook the hook of the message's listener
   * @param inTime limits the wait for a hook
   */
  async deadLetter(
    { message, reason, error }: Pick<DeadLetter, 'message' | 'reason' | 'error'>,
    isElsewhere: boolean,
    ownHook: (() => unknown) | undefined,
    inTime: (hook: () => unknown) => Promise<unknown>,
  ): Promise<void> {
    const next = isElsewhere ? 'its deadLetterTo stores it' : this.howToReplay();
    const fields = { ...this.fields(message), reason, ...errorFields(error) };
    this.logger.error(`a message is dead-lettered; ${next}`, fields);
    this.telemetry?.deadLetter(message, reason);
    const { onDeadLetter } = this.events;
    const hook = onDeadLetter && (() => this.events.onDeadLetter?.(message, reason, error));
    for (const one of [hook, ownHook]) if (one !== undefined) await this.call('onDeadLetter', () => inTime(one));
  }

  /** Without a command for a server in this process, whose port the next start changes. */
  private howToReplay(): string {
    switch (this.place) {
      case 'elsewhere':
        return `fix the cause, then replay it in the console, or with: ${this.command('dlq', 'replay', this.consumerGroup)}`;
      case 'folder':
        return 'fix the cause, then replay it in the console; the folder of the embedded broker keeps it';
      case 'memory':
        return "replay it in the console; an embedded broker keeps it beyond this process only with a folder (endpoints: 'embedded:./data')";
    }
  }

  /** The listener's `deadLetterTo` did not store the message. */
  deadLetterNotKept(message: MessageView, error: unknown, settlement: FailureSettlement): void {
    const next =
      settlement.kind === 'retry' ? `retried in ${settlement.delayMs} ms` : "moved to the broker's dead letter queue";
    const fields = { ...this.fields(message), error: describeError(error) };
    this.logger.error(`deadLetterTo could not store a dead letter; the message is ${next}`, fields);
  }

  unmatched(message: MessageView, comesInMs: number): void {
    const text =
      `no listener matches this message; it is released and redelivered in ${comesInMs} ms. Check that all consumers of the group have ` +
      'the same subscriptions; use a new group for a new filter';
    this.logger.warn(text, { ...this.fields(message), tag: message.tag });
  }

  leaseLost(message: MessageView): void {
    this.logger.warn('the lease of a message was lost; it may be redelivered', this.fields(message));
    this.lost(message);
  }

  /** @param ageMs how long ago the server has handed them out */
  stale(messages: readonly MessageView[], ageMs: number): void {
    const ids = messages.map(({ messageId }) => messageId).slice(0, MAX_IDS);
    const { consumerGroup } = this;
    const fields = { consumerGroup, topic: messages[0]?.topic, messages: messages.length, messageIds: ids };
    this.logger.warn(RECEIVED_TOO_LATE, { ...fields, ageMs: Math.round(ageMs) });
    for (const message of messages) this.lost(message);
  }

  /** Messages of an ordered poll that the server does not deliver again. */
  lastDelivery(messages: readonly MessageView[]): void {
    const messageIds = messages.map(({ messageId }) => messageId).slice(0, MAX_IDS);
    const text =
      'ordered messages are delivered for the last time: if this process ends before the first of them is settled, a proxy dead-letters all of ' +
      'them, also those that are handled by then';
    const { consumerGroup } = this;
    this.logger.warn(text, { consumerGroup, topic: messages[0]?.topic, messages: messages.length, messageIds });
  }

  private lost(message: MessageView): void {
    this.telemetry?.leaseLost(message.topic);
    void this.call('onLeaseLost', () => this.events.onLeaseLost?.(message));
  }

  settleFailed(message: MessageView, settlement: Settlement, error: Error): void {
    const fields = { ...this.fields(message), settlement: settlement.kind, error: describeError(error) };
    this.logger.warn('it is unknown whether the server has settled a message; it may be redelivered', fields);
    void this.call('onSettleFailed', () => this.events.onSettleFailed?.(message, settlement, error));
  }

  graceOver(messages: readonly MessageView[]): void {
    const ids = messages.map(({ messageId }) => messageId).slice(0, MAX_IDS);
    const text =
      'the grace period is over: the signals of running handlers fire now; their messages are redelivered unless the handlers ' +
      'succeed within a second';
    this.logger.warn(text, { consumerGroup: this.consumerGroup, messages: messages.length, messageIds: ids });
    void this.call('onGraceOver', () => this.events.onGraceOver?.(messages));
  }

  liteTopicLost(topic: string, liteTopic: string): void {
    const text =
      'the server has ended the subscription to a lite topic: another consumer of the group has subscribed to it';
    this.logger.info(text, { consumerGroup: this.consumerGroup, topic, liteTopic });
    void this.call('onLiteTopicLost', () => this.events.onLiteTopicLost?.(topic, liteTopic));
  }

  groupPaused(pause: GroupPause): void {
    const { consumerGroup } = this;
    const { reason, by, sinceMs } = pause;
    const text = `the consumer group is paused, so nothing is received until it is resumed: ${this.command('group', 'resume', consumerGroup)}`;
    const since = sinceMs === undefined ? undefined : new Date(sinceMs).toISOString();
    this.logger.warn(text, { consumerGroup, reason, by, since });
    void this.call('onGroupPaused', () => this.events.onGroupPaused?.(pause));
  }

  groupResumed(): void {
    this.logger.info('the consumer group is resumed', { consumerGroup: this.consumerGroup });
    void this.call('onGroupResumed', () => this.events.onGroupResumed?.());
  }

  /** A handler failed or was abandoned, without consequences for the message. */
  failedWithoutEffect(message: MessageView, error: unknown): void {
    this.telemetry?.failed(message, error, undefined);
  }

  handlerIgnoredItsSignal(message: MessageView): void {
    this.logger.error(
      'a handler continues although its signal has fired; it is no longer waited for',
      this.fields(message),
    );
  }

  private fields(message: MessageView): LogFields {
    const { topic, messageId, keys, deliveryAttempt } = message;
    return { consumerGroup: this.consumerGroup, topic, messageId, keys, deliveryAttempt };
  }

  private async call(name: keyof ConsumerEvents, hook: () => unknown): Promise<void> {
    try {
      await hook();
    } catch (error) {
      this.logger.error(`${name} failed; this does not affect the message`, {
        consumerGroup: this.consumerGroup,
        error: describeError(error),
      });
    }
  }
}

function errorFields(error: unknown): LogFields {
  return { error: describeError(error), errorName: error instanceof Error ? error.name : typeof error };
}
