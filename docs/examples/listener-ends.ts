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

  @RocketMQListener(InvoiceDue, { consumerGroup: 'billing', concurrency: 8, timeoutMs: MINUTE_MS })
  async bill({ customer }: { customer: string }, { deliveryAttempt, signal }: RocketMQContext): Promise<void> {
    // Nobody will ever be able to handle this one: to the dead letter queue, at once.
    if (customer === '') throw new DeadLetterError('an invoice needs a customer');
    // Not now: again after ten minutes, however often it has come before.
    if (customer === 'bank holiday' && deliveryAttempt === 1) throw new RetryLaterError({ delayMs: 10 * MINUTE_MS });
    // The signal fires when the time is over, or when the message is no longer ours. Hand it to whatever waits.
    signal.throwIfAborted();
    this.billed.push(customer);
  }

  // What could not be handled is read by a group of its own.
  @RocketMQListener(deadLettersOf('billing'), { consumerGroup: 'billing-graveyard' })
  async bury(body: Buffer): Promise<void> {
    this.buried.push(body.toString());
  }
}
