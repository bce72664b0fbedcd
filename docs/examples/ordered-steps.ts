import { Injectable, Logger, Module } from '@nestjs/common';
import { defineTopic, RocketMQListener, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';

export const OrderStep = defineTopic<{ order: string; step: number }>('order-steps', { type: 'fifo' });

@Injectable()
export class Steps {
  readonly done: string[] = [];
  private readonly logger = new Logger(Steps.name);

  constructor(private readonly producer: RocketMQProducer) {}

  async report(order: string, step: number): Promise<void> {
    // The steps of one order are handled one after another.
    const receipt = await this.producer.send(OrderStep, { order, step }, { messageGroup: order });
    if (receipt.durability === 'as-configured') return;
    this.logger.warn(`Step ${step} of ${order} is stored, but ${receipt.durability}`);
  }

  // The consumer group must be ordered: `npx nestjs-rocketmq group create kitchen --fifo`. With `embedded:` it is created so.
  @RocketMQListener(OrderStep, { consumerGroup: 'kitchen' })
  onStep({ order, step }: { order: string; step: number }): void {
    this.done.push(`${order}: ${step}`);
  }
}

@Module({
  imports: [
    RocketMQModule.forRoot({
      endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:',
      // #region settings
      // What the message groups of a topic are spread over: brokers and their queues.
      topicLayouts: { [OrderStep.name]: process.env.ORDER_STEPS_LAYOUT ?? 'embedded:8' },
      // A send fails, with the outcome `stored`, when a message is stored less safely than the broker is configured to.
      producer: { requireDurable: process.env.REQUIRE_DURABLE === 'true' },
      // #endregion settings
    }),
  ],
  providers: [Steps],
})
export class StepsModule {}
