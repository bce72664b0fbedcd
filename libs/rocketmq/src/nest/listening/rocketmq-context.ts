// What a handler gets beside the body, and guards, pipes, interceptors and filters by `switchToRpc().getContext()`.

import type { HandlerContext } from '../../consumer/model/handler.js';
import type { MessageView } from '../../protocol/model/message.js';
import { StateError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import { loggerWith } from '../common/context-logger.js';
import type { ManualOutcome } from './manual-outcome.js';

/** What every context of one listener has in common. */
export interface ContextOrigin {
  /** The listener's name, `Class.method` unless given. */
  readonly name: string;
  readonly consumerGroup: string;
  readonly logger: Logger;
}

/** One delivery of one message to one listener. */
export class RocketMQContext {
  /** The listener's name, `Class.method` unless given. */
  readonly listener: string;
  readonly consumerGroup: string;
  private handled = false;
  private ownLogger: Logger | undefined;

  /** @internal made for each delivery */
  constructor(
    /** The message as it was received; `message.body` holds the bytes. */
    readonly message: MessageView,
    private readonly run: HandlerContext,
    private readonly origin: ContextOrigin,
    private readonly manual?: ManualOutcome,
  ) {
    this.listener = origin.name;
    this.consumerGroup = origin.consumerGroup;
  }

  /**
   * Fires when the handler ran out of time, when the lease is lost (another consumer may have the message), and at the end of
   * the shutdown's grace period.
   */
  get signal(): AbortSignal {
    return this.run.signal;
  }

  /** Writes to the module's logger; each line says listener, group, topic, message id, keys and attempt. */
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
   * Says that the message is dealt with although an error was thrown: it is acked. For exception filters, whose return
   * alone acks nothing.
   */
  markHandled(): void {
    this.handled = true;
  }

  get isHandled(): boolean {
    return this.handled;
  }

  /**
   * The message is done. For listeners with `manual: true`, during the handler or after it. It is settled when the handler has ended or
   * its time is over.
   * @throws StateError `NOT_MANUAL`; `ALREADY_SETTLED` after another word; `TOO_LATE` when the message has ended before
   */
  ack(): void {
    this.outcome('ack').ack();
  }

  /** The message comes again after this time; it counts as a failed attempt. @throws as {@link ack} */
  retryLater({ delayMs }: { readonly delayMs: number }): void {
    this.outcome('retryLater').retryLater(delayMs);
  }

  /** The message is a dead letter. @param reason for the log, and for who reads dead letters. @throws as {@link ack} */
  deadLetter(reason?: string): void {
    this.outcome('deadLetter').deadLetter(reason);
  }

  private outcome(method: string): ManualOutcome {
    if (this.manual !== undefined) return this.manual;
    const text =
      `listener ${this.listener} is not manual, so ${method}() says nothing: return, throw RetryLaterError or DeadLetterError, ` +
      'or set manual: true';
    throw new StateError('NOT_MANUAL', text);
  }
}
