import { Injectable } from '@nestjs/common';
import {
  type BodyOf,
  RocketMQListener,
  RocketMQProducer,
} from 'nestjs-rocketmq';
import { OrderEvents, StockAnswers } from '../topics.js';

@Injectable()
export class StockService {
  // In memory, to keep this short. A real service has a database.
  private readonly left = new Map([
    ['tea', 10],
    ['coffee', 3],
  ]);
  private readonly results = new Map<
    string,
    'reserved' | 'rejected' | 'released'
  >();

  constructor(private readonly producer: RocketMQProducer) {}

  all(): Record<string, number> {
    return Object.fromEntries(this.left);
  }

  // A message can be delivered twice: the result of each order is remembered.
  @RocketMQListener(OrderEvents, { consumerGroup: 'stock' })
  async onOrderEvent(event: BodyOf<typeof OrderEvents>): Promise<void> {
    const { kind, orderId, item } = event;
    if (kind === 'canceled') return this.release(orderId, item);
    const hasItem = this.reserve(orderId, item);
    await this.producer.send(
      StockAnswers,
      { orderId, hasItem },
      { keys: [orderId] },
    );
  }

  private reserve(orderId: string, item: string): boolean {
    if (!this.results.has(orderId)) {
      const left = this.left.get(item) ?? 0;
      if (left > 0) this.left.set(item, left - 1);
      this.results.set(orderId, left > 0 ? 'reserved' : 'rejected');
    }
    return this.results.get(orderId) === 'reserved';
  }

  private release(orderId: string, item: string): void {
    if (this.results.get(orderId) === 'reserved') {
      this.left.set(item, (this.left.get(item) ?? 0) + 1);
    }
    this.results.set(orderId, 'released');
  }
}
