// The tables of inventory-demo, for drizzle-kit and for queries. The library's own come by migrations of their own.

import { sql } from 'drizzle-orm';
import { check, integer, pgEnum, pgTable, text, uuid } from 'drizzle-orm/pg-core';

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

/** What each order holds. RETURNED without a sku is a tombstone: the return came before the reservation. */
export const reservations = pgTable('reservations', {
  orderId: uuid('order_id').primaryKey(),
  sku: text('sku'),
  quantity: integer('quantity').notNull(),
  status: reservationStatus('status').notNull(),
});

export const schema = { stock, reservations };
export type InventorySchema = typeof schema;
