// What must be true after all orders, whatever the load was. Each violation is a sentence.

import type { Ending } from '../../../scripts/demo/demo-client.js';
import type { Placed } from './arrivals.js';
import type { StockView } from './shop.js';

const MAX_NAMED = 5;

/** What there was at the beginning. */
interface Product {
  sku: string;
  quantity: number;
}

interface Facts {
  /** All orders of a setup, also those that were not answered 201. */
  placed: readonly Placed[];
  endings: ReadonlyMap<string, Ending>;
  /** At the end. */
  stock: readonly StockView[];
}

export function violationsOf({ placed, endings, stock, products }: Facts & { products: readonly Product[] }): string[] {
  const found = [];
  const ids = placed.flatMap(({ id }) => (id === undefined ? [] : [id]));
  const seen = new Set();
  const twice = ids.filter((id) => seen.size === seen.add(id).size);
  if (twice.length > 0) found.push(`ids given to two orders: ${named(twice)}`);
  const open = ids.filter((id) => !endings.has(id));
  if (open.length > 0)
    found.push(`answered 201, and neither reserved nor rejected, or never to time out: ${named(open)}`);
  const rejected = ids.filter((id) => endings.get(id)?.outcome === 'rejected');
  if (rejected.length > 0) found.push(`rejected, though there is enough of all: ${named(rejected)}`);
  return [...found, ...products.flatMap((product) => stockViolations(product, { placed, endings, stock }))];
}

function stockViolations({ sku, quantity }: Product, { placed, endings, stock }: Facts): string[] {
  const row = stock.find((one) => one.sku === sku);
  if (row === undefined) return [`${sku} is not in stock any more`];
  const { available, reserved, sold } = row;
  const found = [];
  if (available + reserved + sold !== quantity) {
    found.push(`${sku}: ${available} available + ${reserved} reserved + ${sold} sold is not ${quantity}`);
  }
  const own = placed.filter((order) => order.sku === sku);
  const least = own.filter(({ id }) => id !== undefined && endings.get(id)?.outcome === 'reserved').length;
  // An order without an answer may be there; more than these cannot.
  const most = least + own.filter(({ id }) => id === undefined).length;
  if (reserved < least || reserved > most) {
    const wanted = most === least ? `${least}` : `${least} to ${most}`;
    found.push(`${sku}: ${reserved} reserved, but its orders have ${wanted}`);
  }
  return found;
}

function named(ids: readonly string[]): string {
  const more = ids.length > MAX_NAMED ? `, and ${ids.length - MAX_NAMED} more` : '';
  return `${ids.slice(0, MAX_NAMED).join(', ')}${more}`;
}
