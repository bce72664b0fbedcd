import { Injectable, Module } from '@nestjs/common';
import {
  type BodyOf,
  defineTopic,
  InjectRocketMQProducer,
  MINUTE_MS,
  RocketMQListener,
  RocketMQModule,
  RocketMQProducer,
  type TopicSender,
} from 'nestjs-rocketmq';
import { z } from 'zod';

// Import it wherever you send or listen. The sender's input is on the wire; the handler gets the output of the schema.
export const OrderPlaced = defineTopic('order-placed', {
  type: 'normal',
  schema: z.object({ orderId: z.string(), quantity: z.number().min(1).default(1), at: z.coerce.date<string>() }),
  // Retry a body that fails validation: a newer version of this service may accept it. Default: dead-letter it.
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
    @InjectRocketMQProducer('archive') archive: RocketMQProducer,
  ) {
    this.archive = archive.for(Archived);
  }

  async place(orderId: string): Promise<void> {
    await this.producer.send(OrderPlaced, { orderId, at: '2026-01-01T00:00:00Z' }, { keys: [orderId], tag: 'shop' });
    await this.producer.send(PaymentDue, { orderId }, { delayMs: 30 * MINUTE_MS });
    // Messages of one message group are handled one after another.
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
        // The application fails at startup if one of them does not exist on the cluster or has another type.
        topics: [OrderPlaced, PaymentDue, OrderStep],
      }),
    }),
    // A second cluster. Set its name here, not in what the factory returns.
    RocketMQModule.forRootAsync({
      name: 'archive',
      useFactory: () => ({ endpoints: process.env.ARCHIVE_ENDPOINTS ?? 'embedded:', topics: [Archived] }),
    }),
  ],
  providers: [Orders],
})
export class OrdersModule {}
