// The context of a handler; guards, pipes, interceptors and filters get it from `switchToRpc().getContext()`.

import type { HandlerContext } from '../../consumer/model/handler.js';
import type { RetryLaterOptions } from '../../consumer/model/outcome-errors.js';
import type { MessageView } from '../../protocol/model/message.js';
import { StateError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import { loggerWith } from '../common/context-logger.js';
import type { ManualOutcome } from './manual-outcome.js';

/** What all contexts of one listener share. */
export interface ContextOrigin {
  /** The listener's name, by default `Class.method`. */
  readonly name: string;
  readonly consumerGroup: string;
  readonly logger: Logger;
}

/** One delivery of one message to one listener. */
export class RocketMQContext {
  /** The listener's name, by default `Class.method`. */
  readonly listener: string;
  readonly consumerGroup: string;
  private handled = false;
  private ownLogger: Logger | undefined;

  private constructor(
    /** The message as the incoming hooks returned it; `message.body` holds the bytes. */
    readonly message: MessageView,
    private readonly run: HandlerContext,
    private readonly origin: ContextOrigin,
    private readonly manual?: ManualOutcome,
  ) {
    this.listener = origin.name;
    this.consumerGroup = origin.consumerGroup;
  }

  /** @internal The constructor is private, because a context without its delivery would be of no use. */
  static of(message: MessageView, run: HandlerContext, origin: ContextOrigin, manual?: ManualOutcome): RocketMQContext {
    return new RocketMQContext(message, run, origin, manual);
  }

  /**
   * Fires when the handler exceeds its timeout, when the lease is lost (another consumer may have the message), and at the end of
   * the shutdown's grace period.
   */
  get signal(): AbortSignal {
    return this.run.signal;
  }

  /** Writes to the module's logger; each line has the listener, group, topic, message id, keys and delivery attempt. */
  get logger(): Logger {
    this.ownLogger ??= loggerWith(this.origin.logger, () => {
      const { listener, consumerGroup, message } = this;
      const { topic, messageId, keys, deliveryAttempt } = message;
      return { listener, consumerGroup, topic, messageId, keys, deliveryAttempt };
    });
    return this.ownLogger;
  }

  get topic(): string {
    return this.message.topic;
  }

  get messageId(): string {
    return this.message.messageId;
  }

  /** The first delivery is 1. */
  get deliveryAttempt(): number {
    return this.message.deliveryAttempt;
  }

  /**
   * Marks the message as handled although an error was thrown, so that it is acknowledged. For exception filters, which do not
   * acknowledge a message by returning.
   */
  markHandled(): void {
    this.handled = true;
  }

  get isHandled(): boolean {
    return this.handled;
  }

  /**
   * Acknowledges the message. For listeners with `manual: true`, during the handler or after it. The message is settled when the
   * handler has returned or its timeout has passed.
   * @throws StateError `NOT_MANUAL`; `ALREADY_SETTLED` when an outcome was set before; `TOO_LATE` when the delivery has already ended
   */
  ack(): void {
    this.outcome('ack').ack();
  }

  /**
   * Redelivers the message after `delayMs`; it counts as a failed attempt, unless you set `countsAsAttempt: false`.
   * @throws as {@link ack}; UsageError for an invalid option
   */
  retryLater(options: RetryLaterOptions): void {
    this.outcome('retryLater').retryLater(options);
  }

  /** Dead-letters the message. @param reason for the log and for readers of the dead letters. @throws as {@link ack} */
  deadLetter(reason?: string): void {
    this.outcome('deadLetter').deadLetter(reason);
  }

  private outcome(method: string): ManualOutcome {
    if (this.manual !== undefined) return this.manual;
    const text =
      `listener ${this.listener} is not manual, so ${method}() has no effect: return, throw RetryLaterError or DeadLetterError, ` +
      'or set manual: true';
    throw new StateError('NOT_MANUAL', text);
  }
}
