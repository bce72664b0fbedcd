import { Injectable } from '@nestjs/common';
import { defineTopic, RocketMQListener, RocketMQProducer, SECOND_MS } from 'nestjs-rocketmq';
import { z } from 'zod';

export const StockWanted = defineTopic('stock-wanted', {
  type: 'normal',
  schema: z.object({ article: z.string(), quantity: z.number().min(1) }),
});
export const StockReserved = defineTopic<{ article: string }>('stock-reserved', { type: 'normal' });

export class OutOfStock extends Error {}

@Injectable()
export class Stock {
  constructor(private readonly producer: RocketMQProducer) {}

  @RocketMQListener(StockWanted, { consumerGroup: 'stock', deadLetterOn: [OutOfStock], backoff: 5 * SECOND_MS })
  async reserve({ article }: { article: string }): Promise<void> {
    if (article === 'unicorn') throw new OutOfStock(article);
    await this.producer.send(StockReserved, { article }, { keys: [article] });
  }
}
