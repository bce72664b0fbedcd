import { Injectable } from '@nestjs/common';
import { type BodyOf, defineTopic, RocketMQListener } from 'nestjs-rocketmq';
import { z } from 'zod';

const Line = z.object({ sku: z.string(), quantity: z.number().int().positive() });

// Version 1 had one product.
const Version1 = z.object({ orderId: z.string(), sku: z.string(), quantity: z.number().int().positive() });

// Version 2 has several products. `currency` was added later: old messages get the default.
const Version2 = z.object({ orderId: z.string(), lines: z.array(Line).min(1), currency: z.string().default('EUR') });

/** Accepts both versions. Handlers get version 2. */
export const OrderSubmitted = defineTopic('order-submitted', {
  type: 'normal',
  schema: z.union([
    Version2,
    Version1.transform(({ orderId, sku, quantity }) => ({ orderId, lines: [{ sku, quantity }], currency: 'EUR' })),
  ]),
});

@Injectable()
export class Picking {
  readonly picked: string[] = [];

  @RocketMQListener(OrderSubmitted, { consumerGroup: 'picking' })
  async pick({ orderId, lines, currency }: BodyOf<typeof OrderSubmitted>): Promise<void> {
    for (const { sku, quantity } of lines) this.picked.push(`${orderId}: ${quantity} ${sku} in ${currency}`);
  }
}
