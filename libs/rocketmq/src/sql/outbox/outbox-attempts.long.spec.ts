// Which failed attempts count against a message of an outbox.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { OutboxBench } from '../../../../../test/fixtures/outbox-bench.js';
import { SteppedClock } from '../../../../../test/fixtures/stepped-clock.js';
import { Connection } from '../../client/connection.js';
import { Producer } from '../../producer/producer.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { TestBroker } from '../../testing/test-broker.js';
import { ExcusedAttempts } from './excused-attempts.js';

let bench: OutboxBench;

beforeAll(async () => {
  bench = await OutboxBench.open();
});
beforeEach(() => bench.begin());
afterEach(() => bench.end());
afterAll(() => bench.close());

describe('an attempt that keepTrying excuses', () => {
  const isAway = (error: unknown): boolean => (error as Error).message === 'away';
  const failing = (error: () => Error) => async (): Promise<never> => {
    throw error();
  };

  it('does not count', async () => {
    await bench.add();
    const attempts: number[] = [];
    let error = new Error('away');
    const relay = bench.relayWith({
      send: failing(() => error),
      keepTrying: isAway,
      maxAttempts: 2,
      backoff: 0,
      events: {
        onFailed: (message) => void attempts.push(message.attempts),
        onParked: (message) => void attempts.push(message.attempts),
      },
    });
    for (let pass = 0; pass < 12; pass++) await relay.runOnce();
    error = new Error('rejected');
    await relay.runOnce();
    expect(await bench.states()).toEqual(['unsent']);
    await relay.runOnce();
    expect([await bench.states(), attempts]).toEqual([['parked'], [...Array(12).fill(0), 1, 2]]);
  });

  it('still makes the next delay longer', async () => {
    await bench.add();
    const atS: number[] = [];
    const startMs = bench.clock.nowMs();
    const error = (): Error => {
      atS.push((bench.clock.nowMs() - startMs) / SECOND_MS);
      return new Error('away');
    };
    const relay = bench.relayWith({ send: failing(error), keepTrying: isAway });
    for (let second = 0; second < 20; second++) {
      await relay.runOnce();
      bench.clock.advanceTo(bench.clock.nowMs() + SECOND_MS);
    }
    expect(atS).toEqual([0, 1, 3, 7, 15]);
  });

  it('counts if keepTrying itself fails', async () => {
    await bench.add();
    const lines: string[] = [];
    const logger = { debug() {}, info() {}, warn() {}, error: (line: string) => void lines.push(line) };
    const keepTrying = (): never => {
      throw new Error('a bug');
    };
    await bench.relayWith({ send: failing(() => new Error('no')), keepTrying, maxAttempts: 1, logger }).runOnce();
    expect([await bench.states(), lines[0]]).toEqual([
      ['parked'],
      'keepTrying of an outbox relay failed; the attempt counts',
    ]);
  });

  it('is forgotten, the oldest first, when there are very many', () => {
    const excused = new ExcusedAttempts();
    for (let id = 0; id <= 10_000; id++) excused.add(`${id}`);
    expect([excused.add('1'), excused.add('10000'), excused.add('0')]).toEqual([2, 2, 1]);
  });
});

describe('a failed attempt whose claim has ended', () => {
  it('is not reported as the failure of a message that another relay has sent', async () => {
    await bench.add();
    const reported: string[] = [];
    const lines: string[] = [];
    const logger = { debug() {}, info() {}, warn: (line: string) => void lines.push(line), error() {} };
    const relay = bench.relayWith({
      logger,
      maxAttempts: 1,
      events: { onParked: () => void reported.push('parked'), onFailed: () => void reported.push('failed') },
      send: async () => {
        bench.clock.advanceTo(bench.clock.nowMs() + 2 * MINUTE_MS);
        await bench.relayWith().runOnce();
        throw new Error('too late');
      },
    });
    await relay.runOnce();
    expect([reported, await relay.metrics(), lines]).toEqual([
      [],
      expect.objectContaining({ failed: 0, givenUp: 0, parked: 0 }),
      ['a message of the outbox could not be sent, but another relay has claimed or sent it meanwhile'],
    ]);
  });
});

describe('a message with the longest delay', () => {
  it('is sent by a producer whose clock is behind, when that has caught up', async () => {
    const broker = await TestBroker.start();
    broker.declareTopic({ name: 'orders', type: 'delay' });
    const behind = new SteppedClock(bench.clock);
    behind.step(-SECOND_MS);
    const connection = new Connection({ endpoints: broker.endpoints, clock: behind });
    const producer = new Producer(connection);
    try {
      await producer.start();
      await bench.add({ delayMs: 24 * HOUR_MS });
      const relay = bench.relayWith({ send: (message, options) => producer.send(message, options), maxAttempts: 1 });
      await relay.runOnce();
      expect(await bench.states()).toEqual(['unsent']);
      bench.clock.advanceTo(bench.clock.nowMs() + SECOND_MS);
      await relay.runOnce();
      expect(await bench.states()).toEqual(['sent']);
    } finally {
      await producer.close();
      connection.close();
      await broker.stop();
    }
  });
});
