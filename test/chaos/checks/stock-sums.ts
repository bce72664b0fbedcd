// The sums of the stock: stock is never created or lost, and every rejection was correct at its time.

import type { ChaosFacts } from '../facts.js';
import type { Book } from './books.js';

interface Pile {
  available: number;
  reserved: number;
  sold: number;
}

/** How each step moves stock. */
const MOVES: Readonly<Record<string, readonly [keyof Pile, keyof Pile]>> = {
  reserved: ['available', 'reserved'],
  sold: ['reserved', 'sold'],
  returned: ['reserved', 'available'],
};

/** Replays the steps in the order in which they were written. */
export function stockSumViolations({ totals, stock, stockHistory }: ChaosFacts, books: readonly Book[]): string[] {
  const wrong: string[] = [];
  const piles = new Map([...totals].map(([sku, total]) => [sku, { available: total, reserved: 0, sold: 0 }]));
  const orders = new Map(books.map(({ order }) => [order.id, order]));
  for (const { orderId, what } of stockHistory) {
    const order = orders.get(orderId);
    // Reported elsewhere.
    if (order === undefined) continue;
    const pile = piles.get(order.sku) ?? { available: 0, reserved: 0, sold: 0 };
    if (what === 'rejected' && pile.available >= order.quantity) {
      wrong.push(`order ${orderId}: refused ${order.quantity} ${order.sku} while there were ${pile.available}`);
    }
    const move = MOVES[what];
    if (move === undefined) continue;
    const [from, to] = move;
    pile[from] -= order.quantity;
    pile[to] += order.quantity;
    if (pile[from] < 0)
      wrong.push(`order ${orderId}: "${what}" moved ${order.quantity} ${order.sku} that were not ${from}`);
  }
  for (const [sku, { available, reserved, sold }] of piles) {
    const row = stock.find((one) => one.sku === sku);
    const counted = row === undefined ? 'not there' : `${row.available} + ${row.reserved} + ${row.sold}`;
    const right = `${available} + ${reserved} + ${sold}`;
    if (counted !== right) wrong.push(`${sku}: available + reserved + sold is ${counted}, by the history ${right}`);
    if (reserved > 0) wrong.push(`${sku}: ${reserved} are still reserved`);
  }
  return wrong;
}
