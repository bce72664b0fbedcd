// How many of each product there are, and the moves between available, reserved and sold. No move makes or loses a piece.

import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { and, asc, eq, gte, sql } from 'drizzle-orm';
import {
  INVENTORY_DATABASE,
  type InventoryDatabase,
  type InventoryTransaction,
} from '../database/inventory-database.js';
import { stock } from '../database/schema.js';
import { PRODUCTS } from './products.js';

export type StockRow = typeof stock.$inferSelect;

/** Where pieces of a product can be. */
type Place = 'available' | 'reserved' | 'sold';

@Injectable()
export class StockStore implements OnModuleInit {
  constructor(@Inject(INVENTORY_DATABASE) private readonly database: InventoryDatabase) {}

  /** Puts the products in that are not there yet. */
  async onModuleInit(): Promise<void> {
    const rows = PRODUCTS.map(({ sku, quantity }) => ({ sku, available: quantity }));
    await this.database.db.insert(stock).values(rows).onConflictDoNothing();
  }

  list(): Promise<StockRow[]> {
    return this.database.db.select().from(stock).orderBy(asc(stock.sku));
  }

  /** Moves pieces; false, and no change, when the product is unknown or has too few there. */
  async move(tx: InventoryTransaction, sku: string, quantity: number, from: Place, to: Place): Promise<boolean> {
    const moved = await tx
      .update(stock)
      .set({ [from]: sql`${stock[from]} - ${quantity}`, [to]: sql`${stock[to]} + ${quantity}` })
      .where(and(eq(stock.sku, sku), gte(stock[from], quantity)))
      .returning({ sku: stock.sku });
    return moved.length > 0;
  }
}
