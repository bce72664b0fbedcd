// The history of one order: valid transitions, every line explained, a final state.

import type { OrderEntry, Status } from '../facts.js';
import type { Book } from './books.js';

/** The server's timer has a resolution of one second. */
const TIMER_MS = 1_000;

/** Lines that change the state: from which, and to which. */
const MOVES: Readonly<Record<string, { readonly from: readonly (Status | undefined)[]; readonly to: Status }>> = {
  'half message sent': { from: [undefined], to: 'PENDING_STOCK' },
  'stock reserved': { from: ['PENDING_STOCK'], to: 'PENDING_PAYMENT' },
  'stock rejected': { from: ['PENDING_STOCK'], to: 'REJECTED' },
  paid: { from: ['PENDING_PAYMENT'], to: 'PAID' },
  'canceled: on request': { from: ['PENDING_STOCK', 'PENDING_PAYMENT'], to: 'CANCELED' },
  'canceled: not paid in time': { from: ['PENDING_STOCK', 'PENDING_PAYMENT'], to: 'CANCELED' },
};

/** Lines that change nothing, and the states in which they can occur. */
const NOTES: Readonly<Record<string, readonly Status[]>> = {
  created: ['PENDING_STOCK'],
  'order-created received': ['PENDING_STOCK', 'PENDING_PAYMENT', 'PAID', 'REJECTED', 'CANCELED'],
  'time-out scheduled': ['PENDING_STOCK', 'PENDING_PAYMENT', 'PAID', 'REJECTED', 'CANCELED'],
  'time-out recalled': ['PAID', 'CANCELED'],
  'time-out came too late': ['PAID', 'REJECTED', 'CANCELED'],
  'stock return sent': ['CANCELED'],
  'stock reserved, too late': ['CANCELED'],
  'stock rejected, too late': ['CANCELED'],
};

/** The end of a transaction. A transaction in a history cannot have been rolled back. */
const TRANSACTION_NOTE =
  /^(order-created|order-paid|stock-return): (committed|the commit may be lost: left to the check|check answered: (commit|unknown))$/;

const RECEIVED =
  /^(order-created received|stock (reserved|rejected)(, too late)?|canceled: not paid in time|time-out came too late)$/;
const TIMED_OUT = new Set(['canceled: not paid in time', 'time-out came too late']);
/** Lines that occur at most once. */
const ONCE = [
  /^half message sent$/,
  /^created$/,
  /^stock (reserved|rejected)(, too late)?$/,
  /^paid$/,
  /^canceled: /,
  /^stock return sent$/,
];
const ENDS: readonly Status[] = ['PAID', 'REJECTED', 'CANCELED'];

export function orderViolations({ order, history, calls }: Book): string[] {
  const wrong: string[] = [];
  const seen = new Set<Status>();
  let state: Status | undefined;
  for (const entry of history) {
    const move = MOVES[entry.what];
    if (move !== undefined) {
      if (!move.from.includes(state)) wrong.push(`"${entry.what}" while it was ${state ?? 'nothing'}`);
      if (entry.status !== move.to) wrong.push(`"${entry.what}" led to ${entry.status}`);
      state = move.to;
      seen.add(state);
    } else if (NOTES[entry.what] === undefined && !TRANSACTION_NOTE.test(entry.what)) {
      wrong.push(`"${entry.what}" cannot be explained`);
    } else if (!seen.has(entry.status) || NOTES[entry.what]?.includes(entry.status) === false) {
      wrong.push(`"${entry.what}" while it was ${entry.status}`);
    }
    wrong.push(...ofReceipt(entry, order.expiresAtMs));
  }
  if (state !== order.status) wrong.push(`is ${order.status}, by its history ${state ?? 'nothing'}`);
  if (!ENDS.includes(order.status)) wrong.push(`has not ended: it is ${order.status}`);
  for (const once of ONCE) {
    const times = history.filter(({ what }) => once.test(what)).length;
    if (times > 1) wrong.push(`${once.source} ${times} times`);
  }
  wrong.push(...ofCauses(history, calls));
  return wrong.map((text) => `order ${order.id}: ${text}`);
}

function ofReceipt({ what, attempt, messageId, atMs }: OrderEntry, expiresAtMs: number): string[] {
  const isReceived = RECEIVED.test(what);
  if (isReceived && (messageId === null || attempt === null || attempt < 1)) return [`"${what}" without a message`];
  if (!isReceived && attempt !== null) return [`"${what}" has an attempt and is no receipt`];
  if (TIMED_OUT.has(what) && atMs < expiresAtMs - TIMER_MS) return [`"${what}" ${expiresAtMs - atMs} ms early`];
  return [];
}

/** Steps that require an earlier step. */
function ofCauses(history: readonly OrderEntry[], calls: Book['calls']): string[] {
  const wrong: string[] = [];
  const index = (what: string) => history.findIndex((entry) => entry.what === what);
  const has = (what: string) => index(what) >= 0;
  const isAsked = (kind: 'pay' | 'cancel') =>
    calls.some((call) => call.kind === kind && (call.answer.kind === 'done' || call.answer.kind === 'unknown'));
  if (has('paid') && !isAsked('pay')) wrong.push('was paid and no customer can have paid it');
  if (has('canceled: on request') && !isAsked('cancel'))
    wrong.push('was canceled and no customer can have asked for it');
  const isCanceled = has('canceled: on request') || has('canceled: not paid in time');
  if (isCanceled !== has('stock return sent')) {
    wrong.push(isCanceled ? 'was canceled and sent no stock return' : 'sent a stock return and was not canceled');
  }
  if (has('time-out recalled') && !has('time-out scheduled'))
    wrong.push('recalled a time-out that it did not schedule');
  if (!has('created')) wrong.push('was never created');
  const received = index('order-created received');
  for (const later of ['time-out scheduled', 'canceled: not paid in time', 'time-out came too late']) {
    if (has(later) && (received < 0 || received > index(later)))
      wrong.push(`"${later}" before its message was received`);
  }
  return wrong;
}
