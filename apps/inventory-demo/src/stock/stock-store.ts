// The stock of each product, and its moves between available, reserved and sold. Moves never create or lose stock.

import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ConfigurationError } from 'demo-kit';
import type { Selectable } from 'kysely';
import {
  INVENTORY_DATABASE,
  type InventoryDatabase,
  type InventoryTransaction,
} from '../database/inventory-database.js';
import type { InventoryTables } from '../database/tables.js';
import { INVENTORY_DEMO_OPTIONS, type InventoryDemoOptions } from '../options.js';
import { PRODUCTS, type Product } from './products.js';

type StockRow = Selectable<InventoryTables['stock']>;

/** The states of stock. */
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
   * Inserts missing products.
   * @throws ConfigurationError if the database was created with another number
   */
  async onModuleInit(): Promise<void> {
    const rows = this.products.map(({ sku, quantity }) => ({ sku, available: quantity }));
    const { db, skipExisting } = this.database;
    await db.insertInto('stock').values(rows).$call(skipExisting).execute();
    for (const { sku, available, reserved, sold } of await this.list()) {
      const there = available + reserved + sold;
      const wanted = this.totalOf(sku);
      if (there === wanted) continue;
      const text = `STOCK has ${wanted} of "${sku}", but the database started with ${there}`;
      throw new ConfigurationError(`${text}; set STOCK to the earlier value, or use a new database`);
    }
  }

  /** The constant total of a product; 0 for an unknown one. */
  totalOf(wanted: string): number {
    return this.products.find(({ sku }) => sku === wanted)?.quantity ?? 0;
  }

  list(): Promise<StockRow[]> {
    return this.database.db.selectFrom('stock').selectAll().orderBy('sku').execute();
  }

  /** Moves stock. Returns false and changes nothing if the product is unknown or there is too little. */
  async move(tx: InventoryTransaction, sku: string, quantity: number, from: Place, to: Place): Promise<boolean> {
    const { numUpdatedRows } = await tx
      .updateTable('stock')
      .set((row) => ({ [from]: row(from, '-', quantity), [to]: row(to, '+', quantity) }))
      .where('sku', '=', sku)
      .where(from, '>=', quantity)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }
}
