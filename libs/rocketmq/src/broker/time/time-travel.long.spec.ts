// Moving the time of a broker through its control port: what it returns, what it rejects, and what happens meanwhile.

import { afterEach, describe, expect, it } from '@jest/globals';
import { storedMessage } from '../../../../../test/fixtures/stored-message.js';
import { TimeBench } from '../../../../../test/fixtures/time-bench.js';
import { soon } from '../../../../../tools/until.js';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../support/clock.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ControlClient, type TimeJump } from '../control/control-client.js';
import { EmbeddedBroker } from '../embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../embedded-broker-options.js';

let bench: TimeBench;
afterEach(() => bench?.close());

async function start(options: EmbeddedBrokerOptions = {}): Promise<TimeBench> {
  bench = await TimeBench.start(options);
  return bench;
}

/** Stores delayed messages without a client: a hundred thousand sends would take long. */
function delay(messages: number, dueAtMs: (index: number) => number): void {
  const { engine } = bench.broker as unknown as { engine: import('../engine/engine.js').Engine };
  for (let index = 0; index < messages; index++) {
    const message = storedMessage(`m${index}`, { type: 'delay', deliveryTimestampMs: dueAtMs(index) });
    engine.send({ topic: 'due', messages: [message], recoveryMs: undefined, nowMs: 0 });
  }
}

describe('the time of a broker with time travel', () => {
  it('is real time until it is moved, and lists what is due next', async () => {
    const { control } = await start();
    const producer = await bench.producer();
    const before = Date.now();
    const { nowMs, ...rest } = await control.time();
    expect(nowMs).toBeGreaterThanOrEqual(before);
    expect(nowMs).toBeLessThanOrEqual(Date.now());
    expect(rest).toEqual({ offsetMs: 0, due: [], dueMore: false });
    const { messageId } = await producer.send({ topic: 'due', body: 'x', delayMs: HOUR_MS });
    await producer.send({ topic: 'due', body: 'x', delayMs: 2 * HOUR_MS });
    const { due, nextDueAtMs } = await control.time();
    expect(due).toHaveLength(2);
    expect(due[0]).toEqual({ atMs: nextDueAtMs, kind: 'delayed', topic: 'due', messageId });
  });

  it('moves by a duration, to a moment, and to what is due next', async () => {
    const { control } = await start();
    const producer = await bench.producer();
    for (const hours of [1, 2, 3]) await producer.send({ topic: 'due', body: 'x', delayMs: hours * HOUR_MS });
    const [first, second] = (await control.time()).due;
    expect(await control.advanceTime({ next: true })).toMatchObject({ passed: 1, targetMs: first?.atMs });
    const toMs = (second?.atMs ?? 0) + 1;
    const reached = await control.advanceTime({ toMs });
    expect(reached).toMatchObject({ passed: 1, targetMs: toMs });
    expect(reached.nowMs).toBeGreaterThanOrEqual(toMs);
    const last = await control.advanceTime({ byMs: DAY_MS });
    expect(last).toMatchObject({ passed: 1 });
    expect(last.offsetMs - reached.offsetMs).toBeGreaterThan(DAY_MS - MINUTE_MS);
    expect((await control.messages('due')).items).toHaveLength(3);
    await expect(control.advanceTime({ next: true })).rejects.toMatchObject({ code: 'NOTHING_DUE', status: 409 });
    expect(await control.advanceTime({ byMs: 0 })).toMatchObject({ passed: 0, offsetMs: last.offsetMs });
  });

  it('lists at most 100 events, whatever is due', async () => {
    const { control } = await start();
    const dueAtMs = Date.now() + HOUR_MS;
    delay(101, (index) => dueAtMs + index);
    const state = await control.time();
    expect(state.due).toHaveLength(100);
    expect([state.dueMore, state.due[0]?.atMs, state.due[99]?.messageId]).toEqual([true, dueAtMs, 'm99']);
  });

  it.each<[string, unknown, string]>([
    ['nothing', {}, 'ILLEGAL_ARGUMENT'],
    ['two targets', { byMs: 1, next: true }, 'ILLEGAL_ARGUMENT'],
    ['a negative duration', { byMs: -1 }, 'ILLEGAL_ARGUMENT'],
    ['no number', { byMs: Number.NaN }, 'ILLEGAL_ARGUMENT'],
    ['infinity', { byMs: Number.POSITIVE_INFINITY }, 'ILLEGAL_ARGUMENT'],
    ['fractions', { byMs: 1.5 }, 'ILLEGAL_ARGUMENT'],
    ['more than 366 days', { byMs: 366 * DAY_MS + 1 }, 'ILLEGAL_ARGUMENT'],
    ['a past time', { toMs: Date.now() - 1_000 }, 'ILLEGAL_ARGUMENT'],
    ['a time more than 366 days ahead', { toMs: Date.now() + 367 * DAY_MS }, 'ILLEGAL_ARGUMENT'],
    ['next: false', { next: false }, 'ILLEGAL_ARGUMENT'],
    ['an unknown field', { byMs: 1, duringwork: true }, 'ILLEGAL_ARGUMENT'],
    ['another type of duringWork', { byMs: 1, duringWork: 'yes' }, 'ILLEGAL_ARGUMENT'],
  ])('rejects %s, and does not move', async (_, jump, code) => {
    const { control } = await start();
    await expect(control.advanceTime(jump as TimeJump)).rejects.toMatchObject({ code, status: 400 });
    expect((await control.time()).offsetMs).toBe(0);
  });

  it('cannot be moved on a broker without time travel, or with a clock of its own', async () => {
    const { control } = await start({ timeTravel: false });
    const rejected = { code: 'NO_TIME_TRAVEL', status: 404, outcome: 'rejected' };
    await expect(control.time()).rejects.toMatchObject(rejected);
    await expect(control.advanceTime({ byMs: 1 })).rejects.toMatchObject(rejected);
    const illegal = expect.objectContaining({ code: 'ILLEGAL_TIME_TRAVEL', field: 'timeTravel' });
    const clock = new ManualClock();
    expect(() => new EmbeddedBroker({ timeTravel: true, controlPort: 0, clock })).toThrow(illegal as never);
  });
});

describe('while the time is moved', () => {
  it('a long poll gets what becomes due, and each retry happens at its own time', async () => {
    const { control } = await start();
    const producer = await bench.producer();
    const handled: [string, number][] = [];
    const backoff = { kind: 'customized', nextMs: [10 * MINUTE_MS] } as const;
    bench.broker.declareGroup({ name: 'readers', backoff });
    await bench.pushConsumer({
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'due' }],
      handler: async ({ body, deliveryAttempt }) => {
        handled.push([`${body} ${deliveryAttempt}`, (await control.state()).nowMs]);
        if (deliveryAttempt < 3) throw new Error('not yet');
      },
    });
    await producer.send({ topic: 'due', body: 'x', delayMs: HOUR_MS });
    const startMs = (await control.time()).nowMs;
    const { passed } = await control.advanceTime({ byMs: 2 * HOUR_MS }, { timeoutMs: 30_000 });
    expect(handled.map(([what]) => what)).toEqual(['x 1', 'x 2', 'x 3']);
    expect(passed).toBe(3);
    const minutes = handled.map(([, atMs]) => Math.round((atMs - startMs) / MINUTE_MS));
    expect(minutes).toEqual([60, 70, 80]);
  });

  it('a handler that runs is waited for, and named when it does not end', async () => {
    const { control } = await start();
    const producer = await bench.producer();
    const running: (() => void)[] = [];
    await bench.pushConsumer({
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'due' }],
      handler: () => new Promise<void>((resolve) => void running.push(resolve)),
    });
    await producer.send({ topic: 'due', body: 'x' });
    await soon(() => running.length === 1);
    const { offsetMs } = await control.time();
    const stuck = await control.advanceTime({ byMs: HOUR_MS }).catch((error: unknown) => error);
    expect(stuck).toMatchObject({ code: 'NOT_QUIET', status: 409, outcome: 'unknown', retryable: true });
    expect(String(stuck)).toContain('of topic due, attempt 1, at a consumer of group readers');
    expect(String(stuck)).toContain('the time was not moved');
    expect((await control.time()).offsetMs).toBe(offsetMs);
    const moving = control.advanceTime({ byMs: HOUR_MS });
    running[0]?.();
    expect((await moving).offsetMs).toBeGreaterThan(0);
  }, 60_000);

  it('says how far it got when work continues that began on the way', async () => {
    const { control } = await start();
    const producer = await bench.producer();
    let release = (): void => {};
    await bench.pushConsumer({
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'due' }],
      handler: () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
    });
    await producer.send({ topic: 'due', body: 'x', delayMs: HOUR_MS });
    const stuck = await control.advanceTime({ byMs: 3 * HOUR_MS }).catch((error: unknown) => error);
    expect(String(stuck)).toMatch(
      /NOT_QUIET.*the time was moved by 3[56]\d{5} ms, to .*, 7[12]\d{5} ms before the target/,
    );
    const { offsetMs } = await control.time();
    expect(Math.round(offsetMs / MINUTE_MS)).toBe(60);
    release();
  }, 60_000);

  it('a second request is rejected, and changes nothing', async () => {
    const { control } = await start();
    const producer = await bench.producer();
    const consumer = await bench.simpleConsumer('readers', 'due');
    await producer.send({ topic: 'due', body: 'x' });
    const [held] = await consumer.receive();
    const first = control.advanceTime({ byMs: HOUR_MS });
    const second = await new ControlClient({ endpoint: bench.broker.controlEndpoint })
      .advanceTime({ byMs: DAY_MS })
      .catch((error: unknown) => error);
    expect(second).toMatchObject({ code: 'TIME_MOVING', status: 409, outcome: 'rejected', retryable: true });
    await consumer.ack(held as NonNullable<typeof held>);
    expect(Math.round((await first).offsetMs / MINUTE_MS)).toBe(60);
    await control.advanceTime({ byMs: HOUR_MS });
  });

  it('the broker stops at once', async () => {
    const { control, broker } = await start();
    const producer = await bench.producer();
    const consumer = await bench.simpleConsumer('readers', 'due');
    await producer.send({ topic: 'due', body: 'x' });
    await consumer.receive();
    const moving = control.advanceTime({ byMs: HOUR_MS }).catch((error: unknown) => error);
    // It waits for the message that is held.
    await soon(() => (broker as unknown as { travel: { moving: unknown } }).travel.moving !== undefined);
    await broker.stop();
    expect(await moving).toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown' });
    await broker.start();
    expect((await control.time()).offsetMs).toBe(0);
  });

  it.each([
    ['at one moment', () => 0],
    ['at a moment each', (index: number) => index],
  ])(
    'other requests are answered, also when 10,000 messages become due %s',
    async (_, spread) => {
      const { control } = await start();
      const dueAtMs = Date.now() + HOUR_MS;
      delay(10_000, (index) => dueAtMs + spread(index));
      let answers = 0;
      let isDone = false;
      const asking = (async () => {
        while (!isDone) {
          const { nowMs } = await control.state();
          answers++;
          expect(nowMs).toBeGreaterThan(0);
        }
      })();
      const { passed } = await control.advanceTime({ byMs: 2 * HOUR_MS }, { timeoutMs: 30_000 });
      isDone = true;
      await asking;
      // Some pass in real time, between two requests.
      expect(passed).toBeGreaterThan(5_000);
      expect(answers).toBeGreaterThan(10);
      expect((await control.topics()).items.find(({ name }) => name === 'due')?.messages).toBe(10_000);
    },
    60_000,
  );
});
