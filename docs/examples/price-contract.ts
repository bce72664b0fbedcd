import { Controller, Injectable } from '@nestjs/common';
import { type BodyOf, defineRequest, RocketMQProducer, RocketMQReply } from 'nestjs-rocketmq';
import { z } from 'zod';

// In a package that both services import.
export const Cheapest = defineRequest('cheapest-requests', {
  request: z.object({ items: z.array(z.string()).min(1) }),
  answer: z.object({ item: z.string(), cents: z.int() }),
});

// In the service that answers.
@Controller()
export class Offers {
  private readonly cents = new Map([
    ['tea', 250],
    ['milk', 90],
  ]);

  @RocketMQReply(Cheapest, { concurrency: 4 })
  async cheapest({ items }: BodyOf<typeof Cheapest.topic>): Promise<{ item: string; cents: number }> {
    const offers = items.map((item) => ({ item, cents: this.cents.get(item) ?? Number.POSITIVE_INFINITY }));
    return offers.reduce((best, one) => (one.cents < best.cents ? one : best));
  }
}

// In the service that asks.
@Injectable()
export class Shopper {
  constructor(private readonly producer: RocketMQProducer) {}

  async cheapest(items: string[]): Promise<string> {
    const { item, cents } = await this.producer.request(Cheapest, { items });
    return `${item} for ${cents}`;
  }
}
