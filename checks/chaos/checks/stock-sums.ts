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

/** A step is written before its transaction ends; this is far longer than that takes. */
const TRANSACTION_MS = 5_000;

/** What was available of a product from a time on. */
interface Level {
  readonly sinceMs: number;
  readonly available: number;
}

/** Replays the steps in the order in which they were written. Of one product, that is the order in which they took effect. */
export function stockSumViolations({ totals, stock, stockHistory }: ChaosFacts, books: readonly Book[]): string[] {
  const wrong: string[] = [];
  const piles = new Map([...totals].map(([sku, total]) => [sku, { available: total, reserved: 0, sold: 0 }]));
  const levels = new Map([...totals].map(([sku, available]) => [sku, [{ sinceMs: 0, available }]]));
  const byId = new Map(books.map((book) => [book.order.id, book]));
  for (const { orderId, atMs, what } of stockHistory) {
    const book = byId.get(orderId);
    // Reported elsewhere.
    if (book === undefined) continue;
    const { order, history } = book;
    const pile = piles.get(order.sku) ?? { available: 0, reserved: 0, sold: 0 };
    const ofSku = levels.get(order.sku) ?? [];
    // A rejection locks no row on PostgreSQL, so it may be written after a later step of another order.
    const least = minLevelSince(ofSku, (history[0]?.atMs ?? atMs) - TRANSACTION_MS);
    if (what === 'rejected' && least >= order.quantity) {
      wrong.push(`order ${orderId}: rejected ${order.quantity} ${order.sku} while there were ${least}`);
    }
    const move = MOVES[what];
    if (move === undefined) continue;
    const [from, to] = move;
    pile[from] -= order.quantity;
    pile[to] += order.quantity;
    ofSku.push({ sinceMs: atMs, available: pile.available });
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

/** The least that was available at or after a time; 0 of what never was a product. */
function minLevelSince(levels: readonly Level[], sinceMs: number): number {
  const first = levels.findLastIndex((level) => level.sinceMs <= sinceMs);
  const found = levels.slice(Math.max(0, first)).map(({ available }) => available);
  return found.length === 0 ? 0 : Math.min(...found);
}
