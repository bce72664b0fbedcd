// The history of the stock of each order, for its time line.

import { Inject, Injectable } from '@nestjs/common';
import { BusinessClock, type Trace } from 'demo-kit';
import type { Selectable } from 'kysely';
import {
  INVENTORY_DATABASE,
  type InventoryDatabase,
  type InventoryTransaction,
} from '../database/inventory-database.js';
import type { InventoryTables } from '../database/tables.js';

type StockHistoryEntry = Selectable<InventoryTables['stockHistory']>;

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
    const entry = { orderId, at: this.clock.now(), what, messageId, attempt };
    await tx.insertInto('stockHistory').values(entry).execute();
  }

  /** The oldest matching entries, oldest first. */
  list({ orderId, after }: StockHistoryQuery): Promise<StockHistoryEntry[]> {
    let entries = this.database.db.selectFrom('stockHistory').selectAll();
    if (orderId !== undefined) entries = entries.where('orderId', '=', orderId);
    if (after !== undefined) entries = entries.where('id', '>', after);
    return entries.orderBy('id').limit(LIST_LIMIT).execute();
  }

  /** The id of the newest entry; 0 if there is none. */
  async newest(): Promise<number> {
    const ids = this.database.db.selectFrom('stockHistory').select('id');
    return (await ids.orderBy('id', 'desc').limit(1).executeTakeFirst())?.id ?? 0;
  }
}
