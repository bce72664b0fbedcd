import { Injectable, Module } from '@nestjs/common';
import { defineTopic, MINUTE_MS, RocketMQListener, RocketMQModule, SECOND_MS } from 'nestjs-rocketmq';

export const OrderSteps = defineTopic<{ order: string; step: string }>('order-steps', { type: 'fifo', queues: 16 });

@Injectable()
export class Packing {
  readonly seen: string[] = [];

  // The topic is ordered, so its group is created as an ordered group.
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
        // 'create' where the application may create what it needs; 'check' only reports what is missing.
        provision: process.env.NODE_ENV === 'production' ? 'check' : 'create',
        groups: { packing: { maxDeliveryAttempts: 8, backoff: [SECOND_MS, 10 * SECOND_MS, MINUTE_MS] } },
        // Wait a minute for the server, then run without it until it is reachable.
        startTimeoutMs: MINUTE_MS,
        whenUnavailable: 'degraded',
      }),
    }),
  ],
  providers: [Packing],
})
export class ShopModule {}
