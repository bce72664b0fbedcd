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
  /** The item that is reserved for an order. */
  private readonly reserved = new Map<string, string>();

  constructor(private readonly producer: RocketMQProducer) {}

  all(): Record<string, number> {
    return Object.fromEntries(this.left);
  }

  // A message can be delivered twice, so both cases can be repeated.
  @RocketMQListener(OrderEvents, { consumerGroup: 'stock' })
  async onOrderEvent(event: BodyOf<typeof OrderEvents>): Promise<void> {
    const { orderId } = event;
    if (event.kind === 'cancelled') return this.release(orderId);
    const hasItem = this.reserve(orderId, event.item);
    await this.producer.send(
      StockAnswers,
      { orderId, hasItem },
      { keys: [orderId] },
    );
  }

  private reserve(orderId: string, item: string): boolean {
    if (this.reserved.has(orderId)) return true;
    const left = this.left.get(item) ?? 0;
    if (left === 0) return false;
    this.left.set(item, left - 1);
    this.reserved.set(orderId, item);
    return true;
  }

  private release(orderId: string): void {
    const item = this.reserved.get(orderId);
    if (item === undefined) return;
    this.reserved.delete(orderId);
    this.left.set(item, (this.left.get(item) ?? 0) + 1);
  }
}
