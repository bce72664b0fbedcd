// packages/topics/src/index.ts
import { type BodyOf, defineTopic } from 'nestjs-rocketmq';
import { z } from 'zod';

export const BasketPaid = defineTopic('basket-paid', {
  type: 'normal',
  schema: z.object({ basketId: z.string(), cents: z.number().int().positive() }),
});
export type BasketPaid = BodyOf<typeof BasketPaid>;

export const BasketChanged = defineTopic('basket-changed', {
  type: 'fifo',
  queues: 16,
  schema: z.object({ basketId: z.string(), skus: z.array(z.string()) }),
});
export type BasketChanged = BodyOf<typeof BasketChanged>;
