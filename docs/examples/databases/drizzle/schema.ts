import { integer, pgTable, varchar } from 'drizzle-orm/pg-core';

export const orders = pgTable('orders', {
  id: varchar('id', { length: 36 }).primaryKey(),
  article: varchar('article', { length: 255 }),
  parcels: integer('parcels').default(0),
});
