// The tables of order-demo, as queries see them: `orderId` is the column `order_id`. The folder `migrations` creates them.

import type { Generated } from 'kysely';
import type { OrderStatus } from '../orders/order-status.js';

interface OrdersTable {
  id: string;
  sku: string;
  quantity: number;
  status: OrderStatus;
  createdAt: Date;
  expiresAt: Date;
  /** Null until the time-out is scheduled. */
  timeoutMessageId: string | null;
  /** The handle to recall the time-out message; null if the server returned none. */
  recallHandle: string | null;
}

/** The history of orders, sorted by `id`. */
interface OrderHistoryTable {
  id: Generated<number>;
  orderId: string;
  at: Date;
  what: string;
  status: OrderStatus;
  messageId: string | null;
  attempt: number | null;
}

export interface OrderTables {
  orders: OrdersTable;
  orderHistory: OrderHistoryTable;
}
