import { Injectable } from '@nestjs/common';
import { RocketMQListener, RocketMQProducer } from 'nestjs-rocketmq';
// In your services: import { BasketPaid } from '@acme/topics';
import { BasketPaid } from './shop-topics.js';

// apps/checkout
@Injectable()
export class Checkout {
  constructor(private readonly producer: RocketMQProducer) {}

  async paid(basketId: string, cents: number): Promise<void> {
    await this.producer.send(BasketPaid, { basketId, cents }, { keys: [basketId] });
  }
}

// apps/accounting
@Injectable()
export class Accounting {
  readonly booked: string[] = [];

  @RocketMQListener(BasketPaid, { consumerGroup: 'accounting' })
  async book({ basketId, cents }: BasketPaid): Promise<void> {
    this.booked.push(`${cents} for ${basketId}`);
  }
}
