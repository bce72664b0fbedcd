// How many of each product there are, and the moves between available, reserved and sold. No move makes or loses a piece.

import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ConfigurationError } from 'demo-kit';
import { and, asc, eq, gte, sql } from 'drizzle-orm';
import {
  INVENTORY_DATABASE,
  type InventoryDatabase,
  type InventoryTransaction,
} from '../database/inventory-database.js';
import { stock } from '../database/schema.js';
import { INVENTORY_DEMO_OPTIONS, type InventoryDemoOptions } from '../options.js';
import { PRODUCTS, type Product } from './products.js';

export type StockRow = typeof stock.$inferSelect;

/** Where pieces of a product can be. */
type Place = 'available' | 'reserved' | 'sold';

@Injectable()
export class StockStore implements OnModuleInit {
  private readonly products: readonly Product[];

  constructor(
    @Inject(INVENTORY_DATABASE) private readonly database: InventoryDatabase,
    @Inject(INVENTORY_DEMO_OPTIONS) options: InventoryDemoOptions,
  ) {
    this.products = options.products ?? PRODUCTS;
  }

  /**
   * Puts the products in that are not there yet.
   * @throws ConfigurationError when the database has another number of one
   */
  async onModuleInit(): Promise<void> {
    const rows = this.products.map(({ sku, quantity }) => ({ sku, available: quantity }));
    await this.database.db.insert(stock).values(rows).onConflictDoNothing();
    for (const { sku, available, reserved, sold } of await this.list()) {
      const there = available + reserved + sold;
      const wanted = this.totalOf(sku);
      if (there === wanted) continue;
      const text = `STOCK: there shall be ${wanted} of "${sku}", but the database began with ${there}`;
      throw new ConfigurationError(`${text}; set STOCK to what it was, or begin with a new database`);
    }
  }

  /** How many of a product there were at the beginning, and so for ever; 0 of an unknown one. */
  totalOf(wanted: string): number {
    return this.products.find(({ sku }) => sku === wanted)?.quantity ?? 0;
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
