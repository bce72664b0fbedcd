import { Injectable } from '@nestjs/common';
import { defineTopic, MINUTE_MS, RocketMQListener, RocketMQProducer, SECOND_MS } from 'nestjs-rocketmq';

export const PaymentDue = defineTopic<{ orderId: string }>('payment-due', { type: 'delay' });
export const OrderCanceled = defineTopic<{ orderId: string }>('order-canceled', { type: 'normal' });

@Injectable()
export class Orders {
  /** In a real application: a table in the database. */
  readonly states = new Map<string, 'open' | 'paid' | 'canceled'>();

  constructor(private readonly producer: RocketMQProducer) {}

  async place(orderId: string): Promise<void> {
    this.states.set(orderId, 'open');
    await this.producer.send(PaymentDue, { orderId }, { delayMs: 30 * MINUTE_MS, keys: [orderId] });
  }

  pay(orderId: string): void {
    this.states.set(orderId, 'paid');
  }

  @RocketMQListener(PaymentDue, { consumerGroup: 'orders', backoff: 10 * SECOND_MS, maxAttempts: 3 })
  async cancelUnpaid({ orderId }: { orderId: string }): Promise<void> {
    if (this.states.get(orderId) !== 'open') return;
    await this.producer.send(OrderCanceled, { orderId }, { keys: [orderId] });
    this.states.set(orderId, 'canceled');
  }
}
