// The context of a batch handler.

import type { BatchContext } from '../../consumer/model/handler.js';
import type { MessageView } from '../../protocol/model/message.js';
import { UsageError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import { loggerWith } from '../common/context-logger.js';
import type { ContextOrigin } from './rocketmq-context.js';

/** A message after the hooks, and as it was received. */
interface BatchEntry {
  readonly message: MessageView;
  readonly received: MessageView;
}

/** One batch of messages for one listener. */
export class RocketMQBatchContext {
  /** The listener's name, by default `Class.method`. */
  readonly listener: string;
  readonly consumerGroup: string;
  /** Writes to the module's logger; each line has the listener, group, topic and message ids. */
  readonly logger: Logger;
  private handled = false;

  /** The messages, in the order of the bodies. Messages with invalid bodies are not included. */
  readonly messages: readonly MessageView[];

  private constructor(
    private readonly entries: readonly BatchEntry[],
    private readonly batch: BatchContext,
    { name, consumerGroup, logger }: ContextOrigin,
  ) {
    this.messages = entries.map(({ message }) => message);
    this.listener = name;
    this.consumerGroup = consumerGroup;
    this.logger = loggerWith(logger, () => {
      const messageIds = this.messages.map(({ messageId }) => messageId);
      return { listener: name, consumerGroup, topic: this.topic, messageIds };
    });
  }

  /** @internal The constructor is private, because a context without its batch would be of no use. */
  static of(entries: readonly BatchEntry[], batch: BatchContext, origin: ContextOrigin): RocketMQBatchContext {
    return new RocketMQBatchContext(entries, batch, origin);
  }

  get topic(): string {
    return this.messages[0]?.topic ?? '';
  }

  /** Fires when the handler exceeds its timeout, and when no message of the batch is left for this process to handle. */
  get signal(): AbortSignal {
    return this.batch.signal;
  }

  /** Fires when the lease of this message is lost: another consumer may have the message. */
  signalOf(message: MessageView): AbortSignal {
    return this.batch.signalOf(this.received(message));
  }

  /**
   * Marks one message as failed: it is retried or dead-lettered as if its own handler had thrown the error (RetryLaterError and
   * DeadLetterError, too), even if the handler exceeds its timeout afterwards. The others are acknowledged when the handler
   * succeeds.
   * @param which the message, or its index in the array of bodies
   * @throws UsageError `NOT_IN_BATCH`
   */
  fail(which: MessageView | number, error: unknown): void {
    const message = typeof which === 'number' ? this.messages[which] : which;
    if (message === undefined) {
      const text = `there is no message ${String(which)}; the batch has ${this.messages.length}, with indexes from 0`;
      throw new UsageError('NOT_IN_BATCH', text, 'which');
    }
    this.batch.fail(this.received(message), error);
  }

  private received(message: MessageView): MessageView {
    return this.entries.find((entry) => entry.message === message)?.received ?? message;
  }

  /**
   * Marks the batch as handled although an error was thrown: all messages that {@link fail} did not mark are acknowledged. For
   * exception filters, which do not acknowledge messages by returning.
   */
  markHandled(): void {
    this.handled = true;
  }

  get isHandled(): boolean {
    return this.handled;
  }
}
