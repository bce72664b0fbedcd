// The tables of inventory-demo, as queries see them: `orderId` is the column `order_id`. The folder `migrations` creates them.

import type { Generated } from 'kysely';

interface StockTable {
  sku: string;
  available: number;
  reserved: Generated<number>;
  sold: Generated<number>;
}

/** The reservation of each order. RETURNED without a sku is a tombstone: the return arrived before the reservation. */
interface ReservationsTable {
  orderId: string;
  sku: string | null;
  quantity: number;
  status: 'RESERVED' | 'REJECTED' | 'SOLD' | 'RETURNED';
}

/** The history of the stock of orders, sorted by `id`. */
interface StockHistoryTable {
  id: Generated<number>;
  orderId: string;
  at: Date;
  what: string;
  messageId: string | null;
  attempt: number | null;
}

export interface InventoryTables {
  stock: StockTable;
  reservations: ReservationsTable;
  stockHistory: StockHistoryTable;
}
