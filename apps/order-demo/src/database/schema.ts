// The tables of order-demo, for drizzle-kit and for queries. The library's tables have separate migrations.

import { index, integer, pgEnum, pgTable, serial, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { ORDER_STATUSES } from '../orders/order-status.js';

const time = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' });

export const orderStatus = pgEnum('order_status', ORDER_STATUSES);

export const orders = pgTable('orders', {
  id: uuid('id').primaryKey(),
  sku: text('sku').notNull(),
  quantity: integer('quantity').notNull(),
  status: orderStatus('status').notNull(),
  createdAt: time('created_at').notNull(),
  expiresAt: time('expires_at').notNull(),
  /** Null until the time-out is scheduled. */
  timeoutMessageId: text('timeout_message_id'),
  /** The handle to recall the time-out message; null if the server returned none. */
  recallHandle: text('recall_handle'),
});

/** The history of orders, sorted by `id`. */
export const orderHistory = pgTable(
  'order_history',
  {
    id: serial('id').primaryKey(),
    orderId: uuid('order_id')
      .notNull()
      .references(() => orders.id),
    at: time('at').notNull(),
    what: text('what').notNull(),
    status: orderStatus('status').notNull(),
    messageId: text('message_id'),
    attempt: integer('attempt'),
  },
  (table) => [index('order_history_order_id').on(table.orderId), index('order_history_message_id').on(table.messageId)],
);

export const schema = { orders, orderHistory };
export type OrderSchema = typeof schema;
