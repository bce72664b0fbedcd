import { Injectable } from '@nestjs/common';
import { RocketMQListener } from 'nestjs-rocketmq';

@Injectable()
export class PriceCache {
  readonly cents = new Map<string, number>();

  // Every instance has a cache of its own, so every instance needs every message.
  @RocketMQListener('prices', { mode: 'broadcast', consumerGroup: 'price-cache', filter: 'changed' })
  async changed({ item, cents }: { item: string; cents: number }): Promise<void> {
    this.cents.set(item, cents);
  }
}
