import { Injectable } from '@nestjs/common';
import { type BodyOf, defineTopic, RocketMQListener } from 'nestjs-rocketmq';
import { z } from 'zod';

const Line = z.object({ sku: z.string(), quantity: z.number().int().positive() });

export const OrderSubmitted = defineTopic('order-submitted', {
  type: 'normal',
  // Version 1 had one product, version 2 had no currency.
  version: 3,
  schema: z.object({ orderId: z.string(), lines: z.array(Line).min(1), currency: z.string() }),
  upgrade: {
    1: ({ orderId, sku, quantity }) => ({ orderId, lines: [{ sku, quantity }] }),
    2: (order) => ({ ...order, currency: 'EUR' }),
  },
});

@Injectable()
export class Picking {
  readonly picked: string[] = [];

  // Gets version 3, whatever was sent.
  @RocketMQListener(OrderSubmitted, { consumerGroup: 'picking' })
  async pick({ orderId, lines, currency }: BodyOf<typeof OrderSubmitted>): Promise<void> {
    for (const { sku, quantity } of lines) this.picked.push(`${orderId}: ${quantity} ${sku} in ${currency}`);
  }
}
