import { Injectable, Module } from '@nestjs/common';
import {
  type BodyOf,
  defineTopic,
  InjectProducer,
  MINUTE_MS,
  RocketMQListener,
  RocketMQModule,
  RocketMQProducer,
  type TopicSender,
} from 'nestjs-rocketmq';
import { z } from 'zod';

// Declared once, imported by those who send and those who listen. The sender's input is on the wire; what the schema makes of
// it is what a handler gets.
export const OrderPlaced = defineTopic('order-placed', {
  type: 'normal',
  schema: z.object({ orderId: z.string(), quantity: z.number().min(1).default(1), at: z.coerce.date<string>() }),
  // A body that does not fit is retried: the sender may be newer than this service. Default: a dead letter at once.
  onInvalid: 'retry',
});
export const PaymentDue = defineTopic<{ orderId: string }>('payment-due', { type: 'delay' });
export const OrderStep = defineTopic<{ step: string }>('order-step', { type: 'fifo' });
export const Archived = defineTopic<{ orderId: string }>('archived', { type: 'normal' });

@Injectable()
export class Orders {
  readonly placed: string[] = [];
  private readonly archive: TopicSender<{ orderId: string }>;

  constructor(
    private readonly producer: RocketMQProducer,
    @InjectProducer('archive') archive: RocketMQProducer,
  ) {
    this.archive = archive.for(Archived);
  }

  async place(orderId: string): Promise<void> {
    await this.producer.send(OrderPlaced, { orderId, at: '2026-01-01T00:00:00Z' }, { keys: [orderId], tag: 'shop' });
    await this.producer.send(PaymentDue, { orderId }, { delayMs: 30 * MINUTE_MS });
    // Those of one message group come one after another.
    await this.producer.send(OrderStep, { step: 'placed' }, { messageGroup: orderId });
    await this.archive.send({ orderId });
  }

  @RocketMQListener(OrderPlaced, { consumerGroup: 'orders' })
  async onPlaced({ orderId, quantity, at }: BodyOf<typeof OrderPlaced>): Promise<void> {
    this.placed.push(`${quantity} for ${orderId} in ${at.getUTCFullYear()}`);
  }
}

@Module({
  imports: [
    RocketMQModule.forRootAsync({
      useFactory: () => ({
        endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:',
        // One that is missing on the cluster, or of another type there, stops the application at start.
        topics: [OrderPlaced, PaymentDue, OrderStep],
      }),
    }),
    // A second cluster. Its name stands beside the factory.
    RocketMQModule.forRootAsync({
      name: 'archive',
      useFactory: () => ({ endpoints: process.env.ARCHIVE_ENDPOINTS ?? 'embedded:', topics: [Archived] }),
    }),
  ],
  providers: [Orders],
})
export class OrdersModule {}
