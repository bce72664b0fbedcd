// Reads the databases of the demos after their processes have ended, without code of the apps.

import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { dataFolder } from './demos.js';
import type { ChaosFacts, Entry, OrderEntry, OrderFact, ReservationFact, StockFact } from './facts.js';

export type DatabaseFacts = Pick<ChaosFacts, 'orders' | 'orderHistory' | 'stock' | 'reservations' | 'stockHistory'>;

const ENTRY = `id, order_id as "orderId", (extract(epoch from at) * 1000)::float8 as "atMs", what, message_id as "messageId", attempt`;

/** @param folder the folder of the run */
export async function readDatabases(folder: string): Promise<DatabaseFacts> {
  const [orders, orderHistory] = await query(join(dataFolder(folder, 'order-demo'), 'postgres'), [
    `select id, sku, quantity, status, (extract(epoch from expires_at) * 1000)::float8 as "expiresAtMs" from orders`,
    `select ${ENTRY}, status from order_history order by id`,
  ]);
  const [stock, reservations, stockHistory] = await query(join(dataFolder(folder, 'inventory-demo'), 'postgres'), [
    'select sku, available, reserved, sold from stock order by sku',
    'select order_id as "orderId", sku, quantity, status from reservations',
    `select ${ENTRY} from stock_history order by id`,
  ]);
  return {
    orders: orders as OrderFact[],
    orderHistory: orderHistory as OrderEntry[],
    stock: stock as StockFact[],
    reservations: reservations as ReservationFact[],
    stockHistory: stockHistory as Entry[],
  };
}

async function query(dataDir: string, statements: readonly string[]): Promise<unknown[][]> {
  const database = await PGlite.create({ dataDir });
  try {
    const results: unknown[][] = [];
    for (const statement of statements) results.push((await database.query(statement)).rows);
    return results;
  } finally {
    await database.close();
  }
}
