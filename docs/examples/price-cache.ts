import { Injectable } from '@nestjs/common';
import { RocketMQListener } from 'nestjs-rocketmq';

@Injectable()
export class PriceCache {
  readonly cents = new Map<string, number>();

  // Each instance has its cache, so each instance wants each message.
  @RocketMQListener('prices', { mode: 'broadcast', consumerGroup: 'price-cache', filter: 'changed' })
  async changed({ item, cents }: { item: string; cents: number }): Promise<void> {
    this.cents.set(item, cents);
  }
}
