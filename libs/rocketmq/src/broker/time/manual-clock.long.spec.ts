// A broker whose time stands still until its control port moves it, and clients by both protocols, whose time runs.

import { afterEach, describe, expect, it } from '@jest/globals';
import { TimeBench } from '../../../../../test/fixtures/time-bench.js';
import { soon } from '../../../../../tools/until.js';
import type { ReceivedMessage } from '../../consumer/simple/simple-receives.js';
import { HOUR_MS, MINUTE_MS, SystemClock } from '../../support/clock.js';
import { EmbeddedBroker } from '../embedded-broker.js';

let bench: TimeBench;
afterEach(() => bench?.close());

const start = async (): Promise<TimeBench> => {
  bench = await TimeBench.start({ timeTravel: false, manualClock: true, recallEnabled: true });
  return bench;
};

/** The clocks of the clients move on. */
async function timePasses(byMs = 20): Promise<void> {
  const at = Date.now();
  await soon(() => Date.now() > at + byMs);
}

describe('a broker with a manual clock', () => {
  it('stands still, and delivers nothing by itself', async () => {
    const { control } = await start();
    const { nowMs } = await control.time();
    const producer = await bench.producer();
    await producer.send({ topic: 'due', body: 'short', delayMs: 5_000 });
    await timePasses(5_100);
    expect((await control.messages('due')).items).toEqual([]);
    expect(await control.time()).toMatchObject({ nowMs, offsetMs: 0, due: [{ kind: 'delayed', topic: 'due' }] });
    expect(await control.advanceTime({ byMs: 5_000 })).toEqual({
      nowMs: nowMs + 5_000,
      offsetMs: 5_000,
      targetMs: nowMs + 5_000,
      passed: 1,
      done: true,
    });
    expect((await control.messages('due')).items).toHaveLength(1);
  });

  it('counts a delay from where it stands when the message arrives', async () => {
    const { control } = await start();
    const producer = await bench.producer();
    await producer.send({ topic: 'due', body: 'first', delayMs: HOUR_MS });
    await control.advanceTime({ byMs: HOUR_MS });
    await timePasses();
    await producer.send({ topic: 'due', body: 'second', delayMs: HOUR_MS });
    await control.advanceTime({ byMs: HOUR_MS - MINUTE_MS });
    expect((await control.messages('due')).items).toHaveLength(1);
    await control.advanceTime({ byMs: MINUTE_MS });
    expect((await control.messages('due')).items).toHaveLength(2);
  });

  it('retries only when it is moved', async () => {
    const { control } = await start();
    const attempts: number[] = [];
    await bench.pushConsumer({
      consumerGroup: 'g',
      subscriptions: [{ topic: 'orders' }],
      handler: async (message) => {
        attempts.push(message.deliveryAttempt);
        if (attempts.length < 3) throw new Error('not yet');
      },
    });
    const producer = await bench.producer();
    await producer.send({ topic: 'orders', body: 'x' });
    await soon(() => attempts.length > 0);
    await timePasses();
    expect(attempts).toEqual([1]);
    await control.advanceTime({ byMs: HOUR_MS });
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('shows clients no message from the future', async () => {
    const { control } = await start();
    const consumer = await bench.simpleConsumer('g', 'due');
    const producer = await bench.producer();
    await producer.send({ topic: 'due', body: 'x', delayMs: HOUR_MS });
    await control.advanceTime({ byMs: 3 * HOUR_MS });
    await producer.send({ topic: 'due', body: 'y', delayMs: 0 });
    const messages: ReceivedMessage[] = [];
    await soon(async () => messages.push(...(await consumer.receive({ maxMessages: 8 }))) === 2);
    for (const { bornTimestampMs, storeTimestampMs = 0, deliveryTimestampMs = 0 } of messages) {
      expect(Math.max(bornTimestampMs, storeTimestampMs, deliveryTimestampMs)).toBeLessThanOrEqual(Date.now());
    }
  });

  it('rejects a clock of the program, and a folder', () => {
    const illegal = expect.objectContaining({ code: 'ILLEGAL_TIME_TRAVEL', field: 'manualClock' });
    for (const options of [{ clock: new SystemClock() }, { data: './never' }]) {
      expect(() => new EmbeddedBroker({ manualClock: true, ...options })).toThrow(illegal as never);
    }
  });
});
