// STOCK, the initial stock: from the environment to the database.

import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DemoDatabase } from 'demo-kit';
import type { InventoryDatabase } from '../database/inventory-database.js';
import { type Product, productsOf } from './products.js';
import { StockStore } from './stock-store.js';

describe('STOCK', () => {
  it('lists products with their numbers', () => {
    expect(productsOf({ STOCK: 'book:100000, chair-2:5' })).toEqual([
      { sku: 'book', quantity: 100_000 },
      { sku: 'chair-2', quantity: 5 },
    ]);
  });

  it('is optional', () => {
    expect(productsOf({})).toBeUndefined();
    expect(productsOf({ STOCK: ' ' })).toBeUndefined();
  });

  it.each(['book', 'book:', ':5', 'book:0', 'book:-1', 'book:1.5', 'book:2000000000', 'a book:1', 'book:5,,chair:1'])(
    'rejects "%s"',
    (text) => {
      expect(() => productsOf({ STOCK: text })).toThrow(/^STOCK must list products with their numbers/);
    },
  );

  it('rejects a product that is listed twice, and too many products', () => {
    expect(() => productsOf({ STOCK: 'book:1,chair:2,book:3' })).toThrow('STOCK names "book" twice');
    const many = Array.from({ length: 1_001 }, (_, index) => `p${index}:1`).join(',');
    expect(() => productsOf({ STOCK: many })).toThrow('STOCK names at most 1000 products, not 1001');
  });
});

describe('the stock of a database', () => {
  let database: InventoryDatabase;
  beforeAll(async () => {
    const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url));
    database = await DemoDatabase.open({ name: 'inventory-demo', folder: undefined, migrationsFolder });
  });
  beforeEach(async () => {
    await database.db.deleteFrom('stock').execute();
  });
  afterAll(() => database?.close());

  const start = async (products?: readonly Product[]): Promise<StockStore> => {
    const store = new StockStore(database, { endpoints: '127.0.0.1:8081', dataFolder: undefined, products });
    await store.onModuleInit();
    return store;
  };

  it('is the value of STOCK, also for a second process with the same value', async () => {
    const products = [{ sku: 'pen', quantity: 7 }];
    await start(products);
    expect(await (await start(products)).list()).toEqual([{ sku: 'pen', available: 7, reserved: 0, sold: 0 }]);
  });

  it('fails to start with another number than the database has, because the sum would be wrong', async () => {
    await start([{ sku: 'pen', quantity: 7 }]);
    const message = 'STOCK has 8 of "pen", but the database started with 7; set STOCK to the earlier value';
    await expect(start([{ sku: 'pen', quantity: 8 }])).rejects.toThrow(message);
    await expect(start()).rejects.toThrow('STOCK has 0 of "pen", but the database started with 7');
  });
});
