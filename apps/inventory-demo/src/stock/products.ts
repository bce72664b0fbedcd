// The initial stock. For each product, available + reserved + sold always equals this number.

import { ConfigurationError, type Environment, textOf } from 'demo-kit';

export interface Product {
  readonly sku: string;
  readonly quantity: number;
}

export const PRODUCTS: readonly Product[] = [
  { sku: 'book', quantity: 100 },
  { sku: 'chair', quantity: 10 },
  { sku: 'lamp', quantity: 25 },
];

const MAX_PRODUCTS = 1_000;
/** Fits into the database columns, even when all of it is moved. */
const MAX_PIECES = 1_000_000_000;
/** A product name and its number. */
const PRODUCT = /^([A-Za-z0-9_-]{1,64}):(\d{1,10})$/;

/**
 * Parses `STOCK`, for instance `book:100,chair:10`; undefined if it is not set.
 * @throws ConfigurationError that names the product
 */
export function productsOf(env: Environment): readonly Product[] | undefined {
  const parts = textOf(env, 'STOCK')?.split(',');
  if (parts === undefined) return undefined;
  if (parts.length > MAX_PRODUCTS) throw wrong(`names at most ${MAX_PRODUCTS} products, not ${parts.length}`);
  const products = parts.map(productOf);
  const twice = products.find(({ sku }, index) => products.findIndex((one) => one.sku === sku) !== index);
  if (twice !== undefined) throw wrong(`names "${twice.sku}" twice`);
  return products;
}

function productOf(text: string): Product {
  const [, sku, quantity] = PRODUCT.exec(text.trim()) ?? [];
  if (sku !== undefined && Number(quantity) >= 1 && Number(quantity) <= MAX_PIECES) {
    return { sku, quantity: Number(quantity) };
  }
  throw wrong(
    `must list products with their numbers, 1 to ${MAX_PIECES}, such as book:100,chair:10; "${text}" is invalid; a sku has up to 64 letters, digits, "-" or "_"`,
  );
}

function wrong(text: string): ConfigurationError {
  return new ConfigurationError(`STOCK ${text}`);
}
