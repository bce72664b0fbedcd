// Correct histories pass; each wrong one is reported.

import { describe, expect, it } from '@jest/globals';
import { chaosViolations } from './checker.js';
import type { Answer, Call, ChaosFacts, Entry, OrderEntry, OrderFact, ReservationFact, Status } from './facts.js';

const EXPIRES_AT_MS = 10_000;
/** What a spec may change. */
interface Draft {
  totals: Map<string, number>;
  stock: { sku: string; available: number; reserved: number; sold: number }[];
  orders: OrderFact[];
  orderHistory: OrderEntry[];
  reservations: ReservationFact[];
  stockHistory: Entry[];
  calls: Call[];
}

class Story {
  readonly draft: Draft = {
    totals: new Map([['book', 10]]),
    stock: [{ sku: 'book', available: 10, reserved: 0, sold: 0 }],
    orders: [],
    orderHistory: [],
    reservations: [],
    stockHistory: [],
    calls: [],
  };
  private nowMs = 1_000;
  private counted = 0;

  /** Lines of an order's own history, as `what|status|message[|attempt]`. */
  wrote(orderId: string, ...lines: string[]): this {
    for (const line of lines) {
      const [what, status, message, attempt] = line.split('|');
      const atMs = /time-out came|in time/.test(line) ? EXPIRES_AT_MS : this.tick();
      const entry = { id: this.counted++, orderId, atMs, what: what as string, status: status as Status };
      const messageId = message === undefined || message === '' ? null : `${orderId}-${message}`;
      this.draft.orderHistory.push({ ...entry, messageId, attempt: attempt === undefined ? null : Number(attempt) });
    }
    return this;
  }

  /** Steps of its stock, as `what|message|attempt`. */
  stepped(orderId: string, ...lines: string[]): this {
    for (const line of lines) {
      const [what, message, attempt] = line.split('|');
      const entry = { id: this.counted++, orderId, atMs: this.tick(), what: what as string };
      this.draft.stockHistory.push({ ...entry, messageId: `${orderId}-${message}`, attempt: Number(attempt) });
    }
    return this;
  }

  ended(id: string, status: Status, left: ReservationFact['status'], quantity = 2): this {
    this.draft.orders.push({ id, sku: 'book', quantity, status, expiresAtMs: EXPIRES_AT_MS });
    this.draft.reservations.push({ orderId: id, sku: 'book', quantity, status: left });
    return this;
  }

  called(kind: 'pay' | 'cancel' | 'look', orderId: string, answer: Answer, customer = 0): this {
    this.draft.calls.push({ kind, orderId, customer, beganAtMs: this.tick(), endedAtMs: this.tick(), answer });
    return this;
  }

  placed(placedId: string, quantity = 2): this {
    const answer = { kind: 'done', status: 'PENDING_STOCK' } as const;
    return this.asked(answer, quantity, placedId);
  }

  asked(answer: Answer, quantity = 2, placedId?: string): this {
    const times = { beganAtMs: this.tick(), endedAtMs: this.tick() };
    this.draft.calls.push({ kind: 'place', sku: 'book', quantity, customer: 0, ...times, answer, placedId });
    return this;
  }

  leaves(available: number, reserved: number, sold: number): this {
    this.draft.stock = [{ sku: 'book', available, reserved, sold }];
    return this;
  }

  /** Writes it differently. */
  but(change: (draft: Draft) => void): this {
    change(this.draft);
    return this;
  }

  get facts(): ChaosFacts {
    return this.draft;
  }

  private tick(): number {
    this.nowMs += 10;
    return this.nowMs;
  }
}

const CREATED = ['half message sent|PENDING_STOCK|c', 'created|PENDING_STOCK|c'];
const RECEIVED = 'order-created received|PENDING_STOCK|c|1';
const SCHEDULED = 'time-out scheduled|PENDING_STOCK|t';
const done = (status: Status): Answer => ({ kind: 'done', status });
const conflict = (status: Status): Answer => ({ kind: 'conflict', status });
const unknown: Answer = { kind: 'unknown' };

function paid(): Story {
  return new Story()
    .placed('a')
    .called('look', 'a', done('PENDING_PAYMENT'))
    .called('pay', 'a', done('PAID'))
    .called('look', 'a', done('PAID'))
    .wrote('a', ...CREATED, RECEIVED, SCHEDULED, 'stock reserved|PENDING_PAYMENT|r|1', 'paid|PAID|p')
    .wrote('a', 'order-paid: committed|PAID|p', 'time-out recalled|PAID|t')
    .stepped('a', 'reserved|c|1', 'sold|p|1')
    .ended('a', 'PAID', 'SOLD')
    .leaves(8, 0, 2);
}

function timedOut(): Story {
  return new Story()
    .placed('a')
    .wrote('a', ...CREATED, RECEIVED, SCHEDULED, 'stock reserved|PENDING_PAYMENT|r|1')
    .wrote('a', 'canceled: not paid in time|CANCELED|t|1', 'stock return sent|CANCELED|s')
    .stepped('a', 'reserved|c|1', 'returned|s|1')
    .ended('a', 'CANCELED', 'RETURNED');
}

function canceledFirst(): Story {
  return new Story()
    .placed('a')
    .called('cancel', 'a', done('CANCELED'))
    .wrote('a', ...CREATED, 'canceled: on request|CANCELED', 'stock return sent|CANCELED|s')
    .stepped('a', 'returned before the reservation|s|1', 'not reserved: returned before|c|1')
    .ended('a', 'CANCELED', 'RETURNED')
    .but((draft) => {
      draft.reservations = [{ orderId: 'a', sku: null, quantity: 0, status: 'RETURNED' }];
    });
}

function rejected(): Story {
  return new Story()
    .placed('a', 11)
    .called('pay', 'a', conflict('REJECTED'))
    .wrote('a', ...CREATED, RECEIVED, SCHEDULED, 'stock rejected|REJECTED|r|1', 'time-out came too late|REJECTED|t|1')
    .stepped('a', 'rejected|c|1')
    .ended('a', 'REJECTED', 'REJECTED', 11);
}

describe('a right history', () => {
  it.each<[string, Story]>([
    ['nothing', new Story()],
    ['an order that is paid', paid()],
    ['one that times out', timedOut()],
    ['one whose return comes first', canceledFirst()],
    ['one that is rejected', rejected()],
    ['a payment without an answer', paid().but((draft) => replaceAnswer(draft, 'pay', unknown))],
    [
      'a payment without an answer that did not happen',
      timedOut().called('pay', 'a', unknown).called('pay', 'a', conflict('CANCELED')),
    ],
    ['a payment that could not be sent', timedOut().called('pay', 'a', { kind: 'not-done' })],
    ['an order without an answer', paid().but((draft) => replaceAnswer(draft, 'place', unknown))],
    [
      'the ends of transactions, however late they are written down',
      paid().wrote('a', 'order-created: committed|PENDING_STOCK|c', 'order-paid: committed|PAID|p'),
    ],
    ['an order without an answer that does not exist', paid().asked(unknown)],
    [
      'deliveries that were repeated',
      paid()
        .wrote('a', 'order-created received|PAID|c|2', 'time-out scheduled|PAID|u')
        .wrote('a', 'time-out came too late|PAID|u|1')
        .stepped('a', 'redelivered: nothing to reserve|c|2', 'redelivered: nothing to sell|p|2'),
    ],
    [
      'an answer of the stock after the cancellation, and a return of nothing',
      new Story()
        .placed('a', 11)
        .called('cancel', 'a', done('CANCELED'))
        .wrote('a', ...CREATED, RECEIVED, SCHEDULED, 'canceled: on request|CANCELED', 'stock return sent|CANCELED|s')
        .wrote('a', 'stock rejected, too late|CANCELED|r|2', 'stock-return: check answered: commit|CANCELED|s')
        .stepped('a', 'rejected|c|1', 'nothing to return|s|1')
        .ended('a', 'CANCELED', 'REJECTED', 11),
    ],
  ])('of %s is passed', (_what, story) => {
    expect(chaosViolations(story.facts)).toEqual([]);
  });
});

describe('a wrong history is reported:', () => {
  it.each<[string, Story, string]>([
    ['an order that never ends', open(), 'has not ended: it is PENDING_PAYMENT'],
    [
      'an order that is paid and returned',
      paid().stepped('a', 'returned|s|1'),
      'is PAID and its stock went [reserved, sold, returned]',
    ],
    ['a stock that is sold twice', paid().stepped('a', 'sold|p|2'), 'stock went [reserved, sold, sold]'],
    [
      'a canceled order that never returns its stock',
      dropStep(timedOut(), 'returned').leaves(8, 2, 0),
      'stock went [reserved]',
    ],
    ['stock that stays reserved', dropStep(timedOut(), 'returned').leaves(8, 2, 0), '2 are still reserved'],
    ['pieces that vanish', paid().leaves(7, 0, 2), 'is 7 + 0 + 2, by the history 8 + 0 + 2'],
    ['a product that vanishes', paid().but((draft) => draft.stock.pop()), 'is not there'],
    ['a rejection while there is enough', rejectedOf(3), 'rejected 3 book while there were 10'],
    ['more reserved than there is', reservedOf(11), 'moved 11 book that were not available'],
    ['a confirmed order that is gone', paid().placed('b'), 'order b was confirmed to a customer and does not exist'],
    ['an order that nobody placed', dropCalls(paid(), 'place'), 'nobody can have placed it'],
    ['two orders for one request without an answer', twoForOne(), 'nobody can have placed it'],
    [
      'stock of an order that was rolled back',
      paid().stepped('b', 'reserved|c|1'),
      'order b has moved stock and does not exist',
    ],
    [
      'a confirmed payment that is undone',
      timedOut().called('pay', 'a', done('PAID')),
      'said that it is PAID, and it never was',
    ],
    ['a payment that nobody asked for', dropCalls(paid(), 'pay'), 'no customer can have paid it'],
    [
      'a payment that was rejected and happened',
      paid().but((draft) => replaceAnswer(draft, 'pay', { kind: 'not-done' })),
      'no customer can have paid it',
    ],
    ['a cancellation that nobody asked for', dropCalls(canceledFirst(), 'cancel'), 'no customer can have asked for it'],
    [
      'an answer with a status that never was',
      paid().called('look', 'a', done('REJECTED')),
      'said that it is REJECTED',
    ],
    [
      'an end that changed',
      paid().called('look', 'a', done('PENDING_PAYMENT')),
      'was PAID to a customer, and PENDING_PAYMENT to a later call',
    ],
    [
      'an order of another size',
      paid().but((draft) => {
        draft.orders[0] = { ...only(draft.orders), quantity: 3 };
      }),
      'was confirmed, and it is of 3 book',
    ],
    [
      'an answer that makes no sense',
      paid().called('pay', 'a', { kind: 'wrong', text: 'pay was answered 404' }),
      'answered 404',
    ],
    ['paid before its stock was reserved', dropLine(paid(), 'stock reserved'), '"paid" while it was PENDING_STOCK'],
    ['canceled after it was paid', paid().wrote('a', 'canceled: not paid in time|CANCELED|t|1'), 'while it was PAID'],
    ['two answers of the stock', timedOut().wrote('a', 'stock reserved, too late|CANCELED|r|2'), '2 times'],
    ['a time-out before its time', early(), 'ms early'],
    ['a cancellation without a return', dropLine(timedOut(), 'stock return sent'), 'sent no stock return'],
    ['a return without a cancellation', paid().wrote('a', 'stock return sent|PAID|s'), 'was not canceled'],
    ['a line that nobody knows', paid().wrote('a', 'painted|PAID|x'), '"painted" cannot be explained'],
    ['a receipt without an attempt', paid().wrote('a', 'time-out came too late|PAID|t'), 'without a message'],
    [
      'a rollback of what happened',
      paid().wrote('a', 'order-paid: check answered: rollback|PAID|p'),
      'cannot be explained',
    ],
    ['a transaction that was rolled back', paid().wrote('a', 'order-paid: rolled back|PAID|p'), 'cannot be explained'],
    [
      'a time-out of an order that was not announced',
      dropLine(timedOut(), 'order-created received'),
      'before its message was received',
    ],
    [
      'stock that moves by a message that nobody sent',
      paid().but((draft) => {
        draft.stockHistory[1] = { ...(draft.stockHistory[1] as Entry), messageId: 'x' };
      }),
      '"sold" by x, and its order-paid is a-p',
    ],
    [
      'a message of two topics',
      paid().wrote('a', 'time-out came too late|PAID|r|1'),
      'message a-r is of stock-result and of order-timeout',
    ],
    ['a message of two orders', twoOrdersOneMessage(), 'is of order a and of order b'],
    [
      'again before the first time',
      dropStep(paid(), 'sold').stepped('a', 'redelivered: nothing to sell|p|2'),
      'it had not come before',
    ],
    [
      'an order that does not hear of its stock',
      dropLine(timedOut(), 'stock reserved'),
      'never heard that its stock is reserved',
    ],
    [
      'a reservation of another state',
      paid().but((draft) => {
        draft.reservations[0] = { ...only(draft.reservations), status: 'RESERVED' };
      }),
      'its reservation is RESERVED, not SOLD',
    ],
    [
      'a state that its history does not have',
      paid().but((draft) => {
        draft.orders[0] = { ...only(draft.orders), status: 'CANCELED' };
      }),
      'is CANCELED, by its history PAID',
    ],
  ])('%s', (_what, story, violation) => {
    expect(chaosViolations(story.facts).join('\n')).toContain(violation);
  });
});

function only<T>(list: readonly T[]): T {
  return list[0] as T;
}

function open(): Story {
  return new Story()
    .placed('a')
    .wrote('a', ...CREATED, RECEIVED, SCHEDULED, 'stock reserved|PENDING_PAYMENT|r|1')
    .stepped('a', 'reserved|c|1')
    .ended('a', 'PENDING_PAYMENT', 'RESERVED')
    .leaves(8, 2, 0);
}

function rejectedOf(quantity: number): Story {
  return rejected().but((draft) => {
    draft.orders[0] = { ...only(draft.orders), quantity };
  });
}

function reservedOf(quantity: number): Story {
  return timedOut().but((draft) => {
    draft.orders[0] = { ...only(draft.orders), quantity };
  });
}

function early(): Story {
  return timedOut().but((draft) => {
    draft.orderHistory = draft.orderHistory.map((entry) =>
      entry.what.startsWith('canceled') ? { ...entry, atMs: EXPIRES_AT_MS - 1_001 } : entry,
    );
  });
}

function twoForOne(): Story {
  const story = paid().but((draft) => replaceAnswer(draft, 'place', unknown));
  return story
    .wrote('b', ...CREATED, RECEIVED, SCHEDULED, 'stock reserved|PENDING_PAYMENT|r|1')
    .wrote('b', 'canceled: not paid in time|CANCELED|t|1', 'stock return sent|CANCELED|s')
    .stepped('b', 'reserved|c|1', 'returned|s|1')
    .ended('b', 'CANCELED', 'RETURNED');
}

function twoOrdersOneMessage(): Story {
  return twoForOne().but((draft) => {
    draft.orderHistory = draft.orderHistory.map((entry) =>
      entry.messageId === 'b-r' ? { ...entry, messageId: 'a-r' } : entry,
    );
  });
}

function dropStep(story: Story, what: string): Story {
  return story.but((draft) => {
    draft.stockHistory = draft.stockHistory.filter((entry) => entry.what !== what);
  });
}

function dropLine(story: Story, what: string): Story {
  return story.but((draft) => {
    draft.orderHistory = draft.orderHistory.filter((entry) => !entry.what.startsWith(what));
  });
}

function dropCalls(story: Story, kind: Call['kind']): Story {
  return story.but((draft) => {
    draft.calls = draft.calls.filter((call) => call.kind !== kind);
  });
}

function replaceAnswer(draft: Draft, kind: Call['kind'], answer: Answer): void {
  draft.calls = draft.calls.map((call) => (call.kind === kind ? { ...call, answer, placedId: undefined } : call));
}
