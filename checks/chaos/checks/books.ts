// Collects the facts of each order, and those that belong to no order.

import type { Call, ChaosFacts, Entry, OrderEntry, OrderFact, ReservationFact } from '../facts.js';

/** One order: what its service wrote, what the stock wrote, the answers to customers. */
export interface Book {
  readonly order: OrderFact;
  readonly history: readonly OrderEntry[];
  readonly reservation: ReservationFact | undefined;
  readonly steps: readonly Entry[];
  readonly calls: readonly Call[];
}

export function booksOf(facts: ChaosFacts): { readonly books: readonly Book[]; readonly strays: readonly string[] } {
  const history = groupBy(facts.orderHistory, ({ orderId }) => orderId);
  const steps = groupBy(facts.stockHistory, ({ orderId }) => orderId);
  const calls = groupBy(facts.calls, (call) => (call.kind === 'place' ? call.placedId : call.orderId));
  const reservations = new Map(facts.reservations.map((one) => [one.orderId, one]));
  const books = facts.orders.map((order) => ({
    order,
    history: history.get(order.id) ?? [],
    reservation: reservations.get(order.id),
    steps: steps.get(order.id) ?? [],
    calls: calls.get(order.id) ?? [],
  }));
  const known = new Set(facts.orders.map(({ id }) => id));
  const strange = (ids: Iterable<string>, what: string) =>
    [...new Set(ids)].filter((id) => !known.has(id)).map((id) => `order ${id} ${what}`);
  const strays = [
    ...strange(history.keys(), 'has a history and does not exist'),
    ...strange(reservations.keys(), 'has a reservation and does not exist'),
    ...strange(steps.keys(), 'has moved stock and does not exist'),
    ...strange(calls.keys(), 'was confirmed to a customer and does not exist'),
    ...unasked(facts, books),
    ...rejected(facts),
    ...shared(facts),
  ];
  return { books, strays };
}

/** Orders that no customer can have placed. A request without an answer may have placed its order. */
function unasked({ calls }: ChaosFacts, books: readonly Book[]): string[] {
  const open = new Map<string, number>();
  const nameOf = ({ sku, quantity }: { readonly sku: string; readonly quantity: number }) => `${quantity} ${sku}`;
  for (const call of calls) {
    if (call.kind !== 'place' || call.answer.kind !== 'unknown') continue;
    open.set(nameOf(call), (open.get(nameOf(call)) ?? 0) + 1);
  }
  return books.flatMap(({ order, calls: answered }) => {
    if (answered.some(({ kind }) => kind === 'place')) return [];
    const left = open.get(nameOf(order)) ?? 0;
    open.set(nameOf(order), left - 1);
    return left > 0 ? [] : [`order ${order.id} of ${nameOf(order)} exists and nobody can have placed it`];
  });
}

/** Orders that were rejected although no fault explains it. */
function rejected({ calls }: ChaosFacts): string[] {
  return calls.flatMap(({ kind, answer }) => (kind === 'place' && answer.kind === 'wrong' ? [answer.text] : []));
}

/** Messages that are about several orders. */
function shared({ orderHistory, stockHistory }: ChaosFacts): string[] {
  const owners = new Map<string, string>();
  return [...orderHistory, ...stockHistory].flatMap(({ messageId, orderId }) => {
    if (messageId === null) return [];
    const owner = owners.get(messageId) ?? orderId;
    owners.set(messageId, owner);
    return owner === orderId ? [] : [`message ${messageId} is of order ${owner} and of order ${orderId}`];
  });
}

function groupBy<T>(list: readonly T[], keyOf: (one: T) => string | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) {
    const key = keyOf(one);
    if (key !== undefined) groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return groups;
}
