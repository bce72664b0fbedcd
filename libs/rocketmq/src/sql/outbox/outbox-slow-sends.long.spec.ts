// A relay one of whose sends takes long, as to a broker that is down.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { OutgoingMessage } from 'nestjs-rocketmq/client';
import type { OutboxRelayOptions } from 'nestjs-rocketmq/sql';
import { OutboxBench } from '../../../../../test/fixtures/outbox-bench.js';
import { SECOND_MS } from '../../support/clock.js';
import { silentLogger } from '../../support/logger.js';

describe('a slow send of an outbox', () => {
  let bench: OutboxBench;
  /** Of sends to the topic `down`. */
  let held: { readonly resolve: () => void; readonly reject: (error: Error) => void }[];
  const send: OutboxRelayOptions['send'] = (message: OutgoingMessage) =>
    message.topic !== 'down'
      ? Promise.resolve(void bench.sent.push(message))
      : new Promise<void>((resolve, reject) => held.push({ resolve, reject }));

  beforeAll(async () => {
    bench = await OutboxBench.open();
  });
  beforeEach(async () => {
    held = [];
    await bench.begin();
  });
  afterEach(async () => {
    for (const { resolve } of held) resolve();
    await bench.end();
  });
  afterAll(() => bench.close());

  /** Until nothing but held sends is under way. */
  async function pass(): Promise<void> {
    for (let step = 0; step < 30; step++) {
      bench.clock.advanceTo(bench.clock.nowMs() + 50);
      await bench.states();
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    }
  }

  it('does not hold up what was claimed later', async () => {
    await bench.add({ topic: 'down', body: 'stuck' });
    const relay = bench.relayWith({ send, sendTimeoutMs: 50 * SECOND_MS });
    relay.start();
    await pass();
    await bench.add({ body: 'later' });
    await pass();
    expect([held.length, bench.bodies(), await bench.states()]).toEqual([1, ['later'], ['unsent', 'sent']]);
  });

  it('holds up its own message group', async () => {
    await bench.add({ topic: 'down', body: 'stuck', messageGroup: 'a' });
    bench.relayWith({ send, sendTimeoutMs: 50 * SECOND_MS }).start();
    await pass();
    await bench.add({ body: 'next', messageGroup: 'a' });
    await pass();
    expect(bench.bodies()).toEqual([]);
    for (const { resolve } of held.splice(0)) resolve();
    await pass();
    expect(bench.bodies()).toEqual(['next']);
  });

  it('is limited in number, and the rest stays available to other relays', async () => {
    for (let count = 0; count < 12; count++) await bench.add({ topic: 'down', body: String(count) });
    bench.relayWith({ send, sendTimeoutMs: 50 * SECOND_MS, batchSize: 2 }).start();
    await pass();
    expect(held).toHaveLength(8);
    await bench.relayWith({ batchSize: 10 }).runOnce();
    expect(bench.bodies()).toEqual(['8', '9', '10', '11']);
  });

  it('is awaited by a stop, and marked', async () => {
    await bench.add({ topic: 'down', body: 'stuck' });
    const relay = bench.relayWith({ send, sendTimeoutMs: 50 * SECOND_MS });
    relay.start();
    await pass();
    let hasStopped = false;
    const stopped = relay.stop().then(() => {
      hasStopped = true;
    });
    await pass();
    expect(hasStopped).toBe(false);
    for (const { resolve } of held.splice(0)) resolve();
    await stopped;
    expect(await bench.states()).toEqual(['sent']);
  });

  it('whose outcome cannot be recorded is reported, and others go on afterwards', async () => {
    const lines: string[] = [];
    const logger = { ...silentLogger, error: (line: string) => void lines.push(line) };
    await bench.add({ topic: 'down', body: 'stuck' });
    let isAway = false;
    const database = {
      transaction: <T>(work: Parameters<typeof bench.database.transaction<T>>[0]) =>
        isAway ? Promise.reject(new Error('the database is away')) : bench.database.transaction(work),
    };
    bench.relayWith({ send, sendTimeoutMs: 50 * SECOND_MS, database, logger }).start();
    await pass();
    isAway = true;
    for (const { resolve } of held.splice(0)) resolve();
    await pass();
    isAway = false;
    bench.clock.advanceTo(bench.clock.nowMs() + 2 * SECOND_MS);
    await bench.add({ body: 'later' });
    await pass();
    expect(lines).toContain('an outbox relay could not access its table; it will retry');
    expect(bench.bodies()).toEqual(['later']);
  });
});
