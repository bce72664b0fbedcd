import { Injectable, Module } from '@nestjs/common';
import { defineTopic, MINUTE_MS, RocketMQListener, RocketMQModule, SECOND_MS } from 'nestjs-rocketmq';

export const OrderSteps = defineTopic<{ order: string; step: string }>('order-steps', { type: 'fifo', queues: 16 });

@Injectable()
export class Packing {
  readonly seen: string[] = [];

  // Its topic is an ordered one, so its group is made as an ordered one.
  @RocketMQListener(OrderSteps, { consumerGroup: 'packing' })
  async pack({ order, step }: { order: string; step: string }): Promise<void> {
    this.seen.push(`${order} ${step}`);
  }
}

@Module({
  imports: [
    RocketMQModule.forRootAsync({
      useFactory: () => ({
        endpoints: process.env.ROCKETMQ_ENDPOINTS,
        nameServer: process.env.ROCKETMQ_NAME_SERVER,
        // 'create' where the application may make what it needs; 'check' where others do, and it only says what is missing.
        provision: process.env.NODE_ENV === 'production' ? 'check' : 'create',
        groups: { packing: { maxDeliveryAttempts: 8, backoff: [SECOND_MS, 10 * SECOND_MS, MINUTE_MS] } },
        // The server may take a minute to come; then the application runs without it until it does.
        startTimeoutMs: MINUTE_MS,
        whenUnavailable: 'degraded',
      }),
    }),
  ],
  providers: [Packing],
})
export class ShopModule {}
