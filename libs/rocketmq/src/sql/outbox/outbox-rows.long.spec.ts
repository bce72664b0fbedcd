// Rows of an outbox that cannot be read, and errors that cannot be stored as they are.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { OutboxBench } from '../../../../../test/fixtures/outbox-bench.js';

let bench: OutboxBench;

beforeAll(async () => {
  bench = await OutboxBench.open();
});
beforeEach(() => bench.begin());
afterEach(() => bench.end());
afterAll(() => bench.close());

describe('a row that cannot be read', () => {
  it.each(['[]', 'null', '"text"'])('is parked alone, with a reason, if its fields are %s', async (fields) => {
    await bench.addGroups('aaabc');
    await bench.database.query(`UPDATE rocketmq_outbox SET fields = $1::jsonb WHERE body = 'a1' OR body = 'b1'`, [
      fields,
    ]);
    const parked: unknown[] = [];
    const events = {
      onParked: ({ id, attempts }: { id: string; attempts: number }) => void parked.push([id, attempts]),
    };
    const relay = bench.relayWith({ events });
    expect([await relay.runOnce(), bench.bodies()]).toEqual([5, ['c1']]);
    await relay.runOnce();
    expect([bench.bodies(), await bench.states()]).toEqual([
      ['c1', 'a2', 'a3'],
      ['parked', 'sent', 'sent', 'parked', 'sent'],
    ]);
    const [first, second] = await bench.outbox.parked(bench.database);
    expect(first?.lastError).toBe(
      `[UNREADABLE_ROW] row ${first?.id} of the outbox cannot be read (column fields: it is no JSON object), so its message was ` +
        'not sent; correct the row and retry it with outbox.retryParked(), or delete it',
    );
    expect(parked).toEqual([
      [first?.id, 1],
      [second?.id, 1],
    ]);
  });

  it('is sent after it was corrected and retried', async () => {
    const id = await bench.add({ keys: ['4711'] });
    await bench.database.exec(`UPDATE rocketmq_outbox SET fields = '[]'`);
    await bench.relayWith().runOnce();
    await bench.database.exec(`UPDATE rocketmq_outbox SET fields = '{"keys":["4711"]}'`);
    await bench.outbox.retryParked(bench.database, [id]);
    await bench.relayWith().runOnce();
    expect(bench.sent).toMatchObject([{ keys: ['4711'], messageId: id }]);
  });
});

describe('the error of an attempt', () => {
  const stored = async (error: unknown): Promise<string | undefined> => {
    await bench.begin();
    await bench.add();
    await bench.relayWith({ send: bench.failing(['a'], error), maxAttempts: 1 }).runOnce();
    return (await bench.outbox.parked(bench.database))[0]?.lastError;
  };

  it('is stored without what a database rejects', async () => {
    expect(await stored(new Error('bad frame \u0000\u0007, half of \ud83d'))).toBe(
      'bad frame \\x00\\x07, half of \ufffd',
    );
  });

  it('is cut when it is long', async () => {
    expect(await stored(new Error('x'.repeat(2_000)))).toBe('x'.repeat(2_000));
    expect(await stored(new Error('x'.repeat(2_001)))).toBe(`${'x'.repeat(2_000)}…`);
    expect((await stored(new Error('\u0000'.repeat(2_000))))?.length).toBe(2_001);
  });

  it('may have a message that is no string', async () => {
    expect(await stored(Object.assign(new Error('x'), { message: { code: 7 } }))).toBe('[object Object]');
  });
});
