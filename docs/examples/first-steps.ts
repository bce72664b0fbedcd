import { Injectable, Module } from '@nestjs/common';
import { defineTopic, RocketMQListener, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { z } from 'zod';

// A topic is declared once. Both ends are typed by it, and every body is checked by it.
export const OrderPlaced = defineTopic('order-placed', {
  type: 'normal',
  schema: z.object({ orderId: z.string(), quantity: z.number().int().positive() }),
});

@Injectable()
export class Warehouse {
  readonly packed: string[] = [];

  // Returning acknowledges the message. Throwing brings it again, later and later, and at last to the dead letter queue.
  @RocketMQListener(OrderPlaced, { consumerGroup: 'warehouse' })
  async pack(order: { orderId: string; quantity: number }): Promise<void> {
    this.packed.push(`${order.quantity} for ${order.orderId}`);
  }
}

@Injectable()
export class Shop {
  constructor(private readonly producer: RocketMQProducer) {}

  async place(orderId: string, quantity: number): Promise<void> {
    await this.producer.send(OrderPlaced, { orderId, quantity }, { keys: [orderId] });
  }
}

// `embedded:` is a broker inside this process. In production: 'rocketmq-1:8081;rocketmq-2:8081'.
@Module({
  imports: [RocketMQModule.forRoot({ endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:' })],
  providers: [Warehouse, Shop],
})
export class ShopModule {}
