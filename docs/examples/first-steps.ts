import { Injectable, Logger, Module } from '@nestjs/common';
import { defineTopic, RocketMQListener, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { z } from 'zod';

// Declare a topic once. It types the sender and the listener, and its schema validates every body.
export const OrderPlaced = defineTopic('order-placed', {
  type: 'normal',
  schema: z.object({ orderId: z.string(), quantity: z.number().int().positive() }),
});

@Injectable()
export class Warehouse {
  readonly packed: string[] = [];
  private readonly logger = new Logger(Warehouse.name);

  // Returning acknowledges the message. Throwing retries it with increasing delays; after the last attempt it is dead-lettered.
  @RocketMQListener(OrderPlaced, { consumerGroup: 'warehouse' })
  pack(order: { orderId: string; quantity: number }): void {
    this.packed.push(`${order.quantity} for ${order.orderId}`);
    this.logger.log(`Packed ${order.quantity} for ${order.orderId}`);
  }
}

@Injectable()
export class Shop {
  constructor(private readonly producer: RocketMQProducer) {}

  async place(orderId: string, quantity: number): Promise<void> {
    await this.producer.send(OrderPlaced, { orderId, quantity }, { keys: [orderId] });
  }
}

// `embedded:` runs a broker inside this process. In production: 'rocketmq-1:8081;rocketmq-2:8081'.
@Module({
  imports: [RocketMQModule.forRoot({ endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:' })],
  providers: [Warehouse, Shop],
})
export class ShopModule {}
