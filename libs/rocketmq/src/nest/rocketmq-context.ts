// What a handler gets beside the body, and guards, pipes, interceptors and filters by `switchToRpc().getContext()`.

import type { MessageView } from '../protocol/message.js';

/** One delivery of one message to one listener. */
export class RocketMQContext {
  private handled = false;

  /** @internal made for each delivery */
  constructor(
    /** The message as it was received; `message.body` holds the bytes. */
    readonly message: MessageView,
    /**
     * Fires when the handler ran out of time, when the lease is lost (another consumer may have the message), and at the end
     * of the shutdown's grace period.
     */
    readonly signal: AbortSignal,
    /** The listener's name, `Class.method` unless given. */
    readonly listener: string,
    readonly consumerGroup: string,
  ) {}

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
}
