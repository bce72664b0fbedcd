// The history of the stock of each order, for its time line.

import { Inject, Injectable } from '@nestjs/common';
import { BusinessClock, type Trace } from 'demo-kit';
import { and, asc, desc, eq, gt } from 'drizzle-orm';
import {
  INVENTORY_DATABASE,
  type InventoryDatabase,
  type InventoryTransaction,
} from '../database/inventory-database.js';
import { stockHistory } from '../database/schema.js';

type StockHistoryEntry = typeof stockHistory.$inferSelect;

/** Selects the entries of an order, or those after an entry. */
interface StockHistoryQuery {
  readonly orderId?: string;
  readonly after?: number;
}

const LIST_LIMIT = 200;

@Injectable()
export class StockHistory {
  constructor(
    @Inject(INVENTORY_DATABASE) private readonly database: InventoryDatabase,
    private readonly clock: BusinessClock,
  ) {}

  async note(tx: InventoryTransaction, orderId: string, { what, messageId, attempt }: Trace): Promise<void> {
    await tx.insert(stockHistory).values({ orderId, at: this.clock.now(), what, messageId, attempt });
  }

  /** The oldest matching entries, oldest first. */
  list({ orderId, after }: StockHistoryQuery): Promise<StockHistoryEntry[]> {
    const isOfOrder = orderId === undefined ? undefined : eq(stockHistory.orderId, orderId);
    const isLater = after === undefined ? undefined : gt(stockHistory.id, after);
    const { db } = this.database;
    return db
      .select()
      .from(stockHistory)
      .where(and(isOfOrder, isLater))
      .orderBy(asc(stockHistory.id))
      .limit(LIST_LIMIT);
  }

  /** The id of the newest entry; 0 if there is none. */
  async newest(): Promise<number> {
    const { id } = stockHistory;
    return (await this.database.db.select({ id }).from(stockHistory).orderBy(desc(id)).limit(1))[0]?.id ?? 0;
  }
}
