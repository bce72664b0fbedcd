// The topics between the two demos: names, types and schemas. Both sender and receiver validate with them.

import { defineTopic, type TopicDefinition } from 'nestjs-rocketmq';
import { z } from 'zod';

const orderId = z.uuid();

/** An order was placed. order-demo schedules its time-out; inventory-demo reserves its stock. */
export const OrderCreated = defineTopic('order-created', {
  type: 'transaction',
  schema: z.object({ orderId, sku: z.string(), quantity: z.int().positive(), expiresAt: z.iso.datetime() }),
});

/** The answer of inventory-demo to an order. The tag is {@link STOCK_RESERVED} or {@link STOCK_REJECTED}. */
export const StockResult = defineTopic('stock-result', { type: 'transaction', schema: z.object({ orderId }) });
export const STOCK_RESERVED = 'reserved';
export const STOCK_REJECTED = 'rejected';

/** A delayed message, delivered when an order times out. */
export const OrderTimeout = defineTopic('order-timeout', { type: 'delay', schema: z.object({ orderId }) });

/** An order was paid: its reserved stock is sold. */
export const OrderPaid = defineTopic('order-paid', { type: 'transaction', schema: z.object({ orderId }) });

/** An order was canceled: its reserved stock, if any, is returned. */
export const StockReturn = defineTopic('stock-return', { type: 'transaction', schema: z.object({ orderId }) });

/** The body of {@link OrderCreated}. */
export type OrderCreatedBody = BodyOf<typeof OrderCreated>;
/** The body of the other topics. */
export type OrderReference = BodyOf<typeof OrderTimeout>;

// biome-ignore lint/suspicious/noExplicitAny: the type that a sender passes does not matter here
type BodyOf<Topic> = Topic extends TopicDefinition<infer Body, any> ? Body : never;

export const TOPICS = [OrderCreated, StockResult, OrderTimeout, OrderPaid, StockReturn] as const;

export const ORDER_SERVICE = 'order-service';
export const INVENTORY_SERVICE = 'inventory-service';
