import { Injectable } from '@nestjs/common';
import {
  defineTopic,
  MINUTE_MS,
  RocketMQListener,
  RocketMQProducer,
  SECOND_MS,
  type SendReceipt,
} from 'nestjs-rocketmq';

export const CartReminder = defineTopic<{ customer: string }>('cart-reminder', { type: 'delay' });

@Injectable()
export class CartReminders {
  readonly mails: string[] = [];
  /** In an application: a column beside the cart. */
  private readonly receipts = new Map<string, SendReceipt>();

  constructor(private readonly producer: RocketMQProducer) {}

  async remind(customer: string): Promise<void> {
    const receipt = await this.producer.send(CartReminder, { customer }, { delayMs: 30 * MINUTE_MS });
    this.receipts.set(customer, receipt);
  }

  /** Corresponds to `job.remove()`. The server must allow it (`recallMessageEnable`). */
  async bought(customer: string): Promise<void> {
    const receipt = this.receipts.get(customer);
    if (receipt !== undefined) await this.producer.recall(receipt);
  }

  @RocketMQListener(CartReminder, {
    consumerGroup: 'mailer',
    concurrency: 5,
    maxAttempts: 5,
    backoff: { kind: 'exponential', initialMs: SECOND_MS, maxMs: MINUTE_MS, multiplier: 2 },
  })
  async mail({ customer }: { customer: string }): Promise<void> {
    this.mails.push(customer);
  }
}
