// Arguments that no compiler has checked: each error names one, and the database is not asked.

import { afterEach, describe, expect, it } from '@jest/globals';
import { RocketMQError } from '../support/errors.js';
import { Inbox } from './inbox.js';
import { Outbox } from './outbox/outbox.js';
import { Schedule } from './schedule/schedule.js';
import type { SqlExecutor } from './sql-port.js';

const statements: string[] = [];
const tx: SqlExecutor = {
  query: async (text) => {
    statements.push(text);
    return { rows: [] };
  },
};
const [outbox, schedule, inbox] = [new Outbox(), new Schedule(), new Inbox()];
const done = async (): Promise<void> => {};

afterEach(() => expect(statements.splice(0)).toEqual([]));

async function rejectionOf(call: () => Promise<unknown>): Promise<readonly unknown[]> {
  const error = await call().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!RocketMQError.is(error)) throw error ?? new Error('the call succeeded');
  return [error.code, (error as { readonly field?: string }).field, error.outcome];
}

const circular: Record<string, unknown> = {};
circular.self = circular;

describe.each<[string, (message: object) => Promise<unknown>]>([
  ['an outbox', (message) => outbox.add(tx, message as never)],
  ['a schedule', (message) => schedule.set(tx, { key: 'a', message: message as never, delayMs: 1_000 })],
])('a message for %s', (_, add) => {
  it.each<[string, unknown]>([
    ['a bigint', 10n],
    ['an object with a bigint', { id: 10n }],
    ['an object that contains itself', circular],
    ['an ArrayBuffer', new ArrayBuffer(3)],
    ['a SharedArrayBuffer', new SharedArrayBuffer(3)],
    ['an array of 16-bit integers', new Uint16Array(2)],
    ['a DataView', new DataView(new ArrayBuffer(2))],
    ['a symbol', Symbol('a')],
  ])('is rejected with %s as its body', async (__, body) => {
    expect(await rejectionOf(() => add({ topic: 'orders', body }))).toEqual(['ILLEGAL_BODY', 'body', 'not-sent']);
  });

  it('is rejected with a priority that cannot be shown', async () => {
    for (const priority of [Symbol('a'), Object.create(null), 1n, '5']) {
      const rejection = await rejectionOf(() => add({ topic: 'orders', body: 'x', priority }));
      expect(rejection).toEqual(['ILLEGAL_PRIORITY', 'priority', 'not-sent']);
    }
  });

  it('is rejected in what is no transaction', async () => {
    for (const none of [undefined, null, 5, {}]) {
      const calls = [
        () => outbox.add(none as never, { topic: 'orders', body: 'x' }),
        () => schedule.cancel(none as never, 'a'),
        () => inbox.once(none as never, 'a', done),
      ];
      for (const call of calls) expect(await rejectionOf(call)).toEqual(['NO_TRANSACTION', 'tx', 'not-sent']);
    }
  });
});

describe('an entry of a schedule', () => {
  it('must be an object, without unknown fields', async () => {
    for (const entry of [undefined, null, 5, []]) {
      const rejection = await rejectionOf(() => schedule.set(tx, entry as never));
      expect(rejection).toEqual(['ILLEGAL_OPTION', 'entry', 'not-sent']);
    }
    const entry = { key: 'a', message: { topic: 'orders', body: 'x' }, cron: '0 3 * * *', timezone: 'Europe/Berlin' };
    expect(await rejectionOf(() => schedule.set(tx, entry))).toEqual(['ILLEGAL_OPTION', 'timezone', 'not-sent']);
  });
});

describe('a step of an inbox', () => {
  it('needs a key and work', async () => {
    const withoutId = { consumerGroup: 'billing', messageId: '7F00000100002A9F0000000000001267' };
    for (const key of [undefined, null, 5, {}, Symbol('a'), withoutId]) {
      const rejection = await rejectionOf(() => inbox.once(tx, key as never, done));
      expect(rejection).toEqual(['ILLEGAL_KEY', 'key', 'not-sent']);
    }
    expect(await rejectionOf(() => inbox.once(tx, 'a', undefined as never))).toEqual([
      'ILLEGAL_OPTION',
      'work',
      'not-sent',
    ]);
  });
});
