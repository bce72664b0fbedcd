// The tables of inventory-demo, for drizzle-kit and for queries. The library's tables have separate migrations.

import { sql } from 'drizzle-orm';
import { check, index, integer, pgEnum, pgTable, serial, text, timestamp, uuid } from 'drizzle-orm/pg-core';

export const stock = pgTable(
  'stock',
  {
    sku: text('sku').primaryKey(),
    available: integer('available').notNull(),
    reserved: integer('reserved').notNull().default(0),
    sold: integer('sold').notNull().default(0),
  },
  (table) => [
    check('stock_not_negative', sql`${table.available} >= 0 and ${table.reserved} >= 0 and ${table.sold} >= 0`),
  ],
);

export const reservationStatus = pgEnum('reservation_status', ['RESERVED', 'REJECTED', 'SOLD', 'RETURNED']);

/** The reservation of each order. RETURNED without a sku is a tombstone: the return arrived before the reservation. */
export const reservations = pgTable('reservations', {
  orderId: uuid('order_id').primaryKey(),
  sku: text('sku'),
  quantity: integer('quantity').notNull(),
  status: reservationStatus('status').notNull(),
});

/** The history of the stock of orders, sorted by `id`. */
export const stockHistory = pgTable(
  'stock_history',
  {
    id: serial('id').primaryKey(),
    orderId: uuid('order_id').notNull(),
    at: timestamp('at', { withTimezone: true, mode: 'date' }).notNull(),
    what: text('what').notNull(),
    messageId: text('message_id'),
    attempt: integer('attempt'),
  },
  (table) => [index('stock_history_order_id').on(table.orderId)],
);

export const schema = { stock, reservations, stockHistory };
export type InventorySchema = typeof schema;
