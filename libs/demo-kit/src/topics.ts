// The topics between the two demos: names, types and what their messages hold. Both ends are checked by them.

import { defineTopic, type TopicDefinition } from 'nestjs-rocketmq';
import { z } from 'zod';

const orderId = z.uuid();

/** An order was placed. order-demo schedules its time-out by it, inventory-demo reserves its stock. */
export const OrderCreated = defineTopic('order-created', {
  type: 'transaction',
  schema: z.object({ orderId, sku: z.string(), quantity: z.int().positive(), expiresAt: z.iso.datetime() }),
});

/** What inventory-demo says to an order. The tag is {@link STOCK_RESERVED} or {@link STOCK_REJECTED}. */
export const StockResult = defineTopic('stock-result', { type: 'transaction', schema: z.object({ orderId }) });
export const STOCK_RESERVED = 'reserved';
export const STOCK_REJECTED = 'rejected';

/** Delivered when an order's time to pay is over. */
export const OrderTimeout = defineTopic('order-timeout', { type: 'delay', schema: z.object({ orderId }) });

/** An order was paid: its reserved stock is sold. */
export const OrderPaid = defineTopic('order-paid', { type: 'transaction', schema: z.object({ orderId }) });

/** An order was cancelled: its stock returns, if it has any. */
export const StockReturn = defineTopic('stock-return', { type: 'transaction', schema: z.object({ orderId }) });

/** The body of {@link OrderCreated}. */
export type OrderCreatedBody = BodyOf<typeof OrderCreated>;
/** The body of the other topics. */
export type OrderReference = BodyOf<typeof OrderTimeout>;

// biome-ignore lint/suspicious/noExplicitAny: what a sender gives does not matter here
type BodyOf<Topic> = Topic extends TopicDefinition<infer Body, any> ? Body : never;

export const TOPICS = [OrderCreated, StockResult, OrderTimeout, OrderPaid, StockReturn] as const;

export const ORDER_SERVICE = 'order-service';
export const INVENTORY_SERVICE = 'inventory-service';
