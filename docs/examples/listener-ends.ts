import { Injectable } from '@nestjs/common';
import {
  DeadLetterError,
  deadLettersOf,
  defineTopic,
  MINUTE_MS,
  RetryLaterError,
  RocketMQContext,
  RocketMQListener,
} from 'nestjs-rocketmq';

export const InvoiceDue = defineTopic<{ customer: string }>('invoice-due', { type: 'normal' });

@Injectable()
export class Billing {
  readonly billed: string[] = [];
  readonly buried: string[] = [];

  @RocketMQListener(InvoiceDue, { consumerGroup: 'billing', concurrency: 8, handlerTimeoutMs: MINUTE_MS })
  async bill({ customer }: { customer: string }, { deliveryAttempt, signal }: RocketMQContext): Promise<void> {
    // No retry can help: dead-letter the message now.
    if (customer === '') throw new DeadLetterError('an invoice needs a customer');
    // Retry in ten minutes, regardless of the backoff.
    if (customer === 'bank holiday' && deliveryAttempt === 1) throw new RetryLaterError({ delayMs: 10 * MINUTE_MS });
    // The signal fires on a timeout, or when another process may have received the message. Pass it to everything that waits.
    signal.throwIfAborted();
    this.billed.push(customer);
  }

  // Dead letters are handled by a consumer group of their own.
  @RocketMQListener(deadLettersOf('billing'), { consumerGroup: 'billing-graveyard' })
  async bury(body: Buffer): Promise<void> {
    this.buried.push(body.toString());
  }
}
