// The effects of an order on the stock: each step once, and an end that matches that of the order.

import type { Entry, ReservationFact, Status } from '../facts.js';
import type { Book } from './books.js';

/** The possible stock steps of an order, by its final state, and the resulting reservation. */
const WAYS: Readonly<Partial<Record<Status, readonly Way[]>>> = {
  PAID: [{ steps: ['reserved', 'sold'], left: 'SOLD', isEmpty: false }],
  REJECTED: [{ steps: ['rejected'], left: 'REJECTED', isEmpty: false }],
  CANCELED: [
    { steps: ['reserved', 'returned'], left: 'RETURNED', isEmpty: false },
    { steps: ['rejected', 'nothing to return'], left: 'REJECTED', isEmpty: false },
    { steps: ['returned before the reservation', 'not reserved: returned before'], left: 'RETURNED', isEmpty: true },
  ],
};

interface Way {
  readonly steps: readonly string[];
  readonly left: ReservationFact['status'];
  /** Whether nothing was reserved because the return arrived first. */
  readonly isEmpty: boolean;
}

/** The text of a redelivered step, and the step that must precede it. */
const AGAIN: Readonly<Record<string, readonly string[]>> = {
  'redelivered: nothing to reserve': ['reserved', 'rejected', 'not reserved: returned before'],
  'redelivered: nothing to sell': ['sold'],
  'redelivered: nothing to return': ['returned', 'nothing to return', 'returned before the reservation'],
};

/** The lines of the order's history for the answers of the stock. */
const ANSWERED: Readonly<Record<string, RegExp>> = {
  reserved: /^stock reserved(, too late)?$/,
  rejected: /^stock rejected(, too late)?$/,
};

export function stockViolations({ order, history, reservation, steps }: Book): string[] {
  const wrong: string[] = [];
  const done: string[] = [];
  for (const step of steps) {
    wrong.push(...ofReceipt(step));
    const before = AGAIN[step.what];
    if (before === undefined) done.push(step.what);
    else if (!before.some((what) => done.includes(what))) wrong.push(`"${step.what}" and it had not come before`);
  }
  const ways = WAYS[order.status] ?? [];
  const way = ways.find((one) => fits(one, done));
  if (way === undefined) wrong.push(`is ${order.status} and its stock went [${done.join(', ')}]`);
  else wrong.push(...ofReservation(way, order, reservation));
  for (const [step, answer] of Object.entries(ANSWERED)) {
    const isAnswered = history.some(({ what }) => answer.test(what));
    if (isAnswered && !done.includes(step)) wrong.push(`heard that its stock is ${step}, and it is not`);
    if (!isAnswered && done.includes(step)) wrong.push(`never heard that its stock is ${step}`);
  }
  return wrong.map((text) => `order ${order.id}: ${text}`);
}

/** The order-created message that finds the tombstone may still be in transit; it changes nothing. */
function fits({ steps, isEmpty }: Way, done: readonly string[]): boolean {
  if (isEmpty && done.length === 1) return done[0] === steps[0];
  return steps.length === done.length && steps.every((step, index) => step === done[index]);
}

function ofReceipt({ what, messageId, attempt }: Entry): string[] {
  return messageId === null || attempt === null || attempt < 1 ? [`"${what}" without a message`] : [];
}

function ofReservation(way: Way, { sku, quantity }: Book['order'], reservation: ReservationFact | undefined): string[] {
  if (reservation === undefined) return ['has no reservation'];
  const wrong = reservation.status === way.left ? [] : [`its reservation is ${reservation.status}, not ${way.left}`];
  const held = way.isEmpty ? [null, 0] : [sku, quantity];
  if (reservation.sku !== held[0] || reservation.quantity !== held[1]) {
    wrong.push(`its reservation holds ${reservation.quantity} ${reservation.sku}, not ${held[1]} ${held[0]}`);
  }
  return wrong;
}
