import { Injectable } from '@nestjs/common';
import { defineTopic, HOUR_MS, RocketMQListener, RocketMQProducer } from 'nestjs-rocketmq';

export const CartForgotten = defineTopic<{ customer: string }>('cart-forgotten', { type: 'delay' });

@Injectable()
export class Reminder {
  readonly mails: string[] = [];

  constructor(private readonly producer: RocketMQProducer) {}

  async remindLater(customer: string): Promise<void> {
    await this.producer.send(CartForgotten, { customer }, { delayMs: 2 * HOUR_MS });
  }

  @RocketMQListener(CartForgotten, { consumerGroup: 'mailer' })
  remind({ customer }: { customer: string }): void {
    this.mails.push(`${customer}, your cart is waiting`);
  }
}
