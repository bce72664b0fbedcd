// What the handler of a batch gets beside the bodies.

import type { BatchContext } from '../../consumer/model/handler.js';
import type { MessageView } from '../../protocol/model/message.js';
import { UsageError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import { loggerWith } from '../common/context-logger.js';
import type { ContextOrigin } from './rocketmq-context.js';

/** A message as the hooks left it, and as it was received. */
interface BatchEntry {
  readonly message: MessageView;
  readonly received: MessageView;
}

/** One batch of messages for one listener. */
export class RocketMQBatchContext {
  /** The listener's name, `Class.method` unless given. */
  readonly listener: string;
  readonly consumerGroup: string;
  /** Writes to the module's logger; each line says listener, group, topic and message ids. */
  readonly logger: Logger;
  private handled = false;

  /** The messages, in the order of the bodies. One whose body is invalid is not among them. */
  readonly messages: readonly MessageView[];

  /** @internal made for each batch */
  constructor(
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

  get topic(): string {
    return this.messages[0]?.topic ?? '';
  }

  /** Fires when the handler ran out of time, and when no message of the batch is ours any more, or to be handled. */
  get signal(): AbortSignal {
    return this.batch.signal;
  }

  /** Fires when this message is lost: another consumer may have it. */
  signalOf(message: MessageView): AbortSignal {
    return this.batch.signalOf(this.received(message));
  }

  /**
   * Says that one message has failed: what follows is decided for it alone, as if its handler had thrown the error
   * (RetryLaterError and DeadLetterError too), even if the handler runs out of time afterwards. The others are acked when the handler
   * ends without an error.
   * @param which the message, or its place in the array of bodies
   * @throws UsageError `NOT_IN_BATCH`
   */
  fail(which: MessageView | number, error: unknown): void {
    const message = typeof which === 'number' ? this.messages[which] : which;
    if (message === undefined) {
      const text = `there is no message ${String(which)}; the batch holds ${this.messages.length}, counted from 0`;
      throw new UsageError('NOT_IN_BATCH', text, 'which');
    }
    this.batch.fail(this.received(message), error);
  }

  private received(message: MessageView): MessageView {
    return this.entries.find((entry) => entry.message === message)?.received ?? message;
  }

  /**
   * Says that the batch is dealt with although an error was thrown: what was not failed by itself is acked. For exception
   * filters, whose return alone acks nothing.
   */
  markHandled(): void {
    this.handled = true;
  }

  get isHandled(): boolean {
    return this.handled;
  }
}
