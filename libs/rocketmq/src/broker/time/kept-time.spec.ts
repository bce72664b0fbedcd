// What is kept when the time is moved: messages, whatever their age, and on disk the time itself.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TimeBench } from '../../../../../test/fixtures/time-bench.js';
import { soon } from '../../../../../tools/until.js';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../support/clock.js';
import { ManualClock } from '../../support/manual-clock.js';
import { TravelClock } from '../../support/travel-clock.js';
import { EmbeddedBroker } from '../embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../embedded-broker-options.js';
import { MemoryStore } from '../store/memory-store.js';
import { keys } from '../store/records.js';
import { TimeTravel } from './time-travel.js';

let bench: TimeBench | undefined;
let data: string;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'time-travel-'));
});
afterEach(async () => {
  await bench?.close();
  bench = undefined;
  await rm(data, { recursive: true, force: true });
});

async function start(options: EmbeddedBrokerOptions = {}): Promise<TimeBench> {
  await bench?.close();
  bench = await TimeBench.start({ data, ...options });
  return bench;
}

/** Runs retention now. */
function sweep({ broker }: TimeBench): void {
  const { sweeper } = broker as unknown as { sweeper: { stop(): void; sweep(): void } };
  sweeper.stop();
  sweeper.sweep();
}

describe('a jump of days', () => {
  it('deletes no message: retention counts real time', async () => {
    const one = await start({ retentionMs: DAY_MS });
    const producer = await one.producer();
    await producer.send({ topic: 'plain', body: 'not consumed' });
    await producer.send({ topic: 'due', body: 'later', delayMs: HOUR_MS });
    await one.control.advanceTime({ byMs: 30 * DAY_MS });
    await producer.send({ topic: 'plain', body: 'after the jump' });
    sweep(one);
    const consumer = await one.simpleConsumer('readers', 'plain');
    const received = await consumer.receive();
    expect(received.map(({ body }) => body.toString()).sort()).toEqual(['after the jump', 'not consumed']);
    expect((await one.control.messages('due')).items).toHaveLength(1);
  });

  it('deletes what is too old in real time, before and after it', async () => {
    const one = await start({ retentionMs: 1_500 });
    const producer = await one.producer();
    const left = async () => (await one.control.messages('plain')).items.map(({ body }) => body);
    await producer.send({ topic: 'plain', body: 'early' });
    const sentMs = performance.now();
    await one.control.advanceTime({ byMs: DAY_MS });
    await producer.send({ topic: 'plain', body: 'late' });
    const early = await left();
    // Only a machine that stood still for so long may have deleted it.
    if (performance.now() - sentMs < 1_000) expect(early.sort()).toEqual(['early', 'late']);
    await soon(async () => (await left()).length === 0);
  });
});

describe('a broker on disk whose time was moved', () => {
  it('continues at its time after a restart, with everything as it was for its clients', async () => {
    const first = await start();
    const producer = await first.producer();
    await producer.send({ topic: 'plain', body: 'before', keys: ['k'] });
    await first.control.advanceTime({ byMs: 5 * DAY_MS });
    await producer.send({ topic: 'plain', body: 'after', keys: ['k'] });
    await producer.send({ topic: 'due', body: 'later', delayMs: HOUR_MS });
    const times = async ({ control }: TimeBench) => (({ offsetMs, due }) => ({ offsetMs, due }))(await control.time());
    const stored = async (one: TimeBench) =>
      (await one.admin().findMessages({ topic: 'plain', key: 'k' })).messages.map(
        ({ storeTimestampMs, bornTimestampMs }) => [storeTimestampMs, bornTimestampMs],
      );
    const [timesBefore, storedBefore] = [await times(first), await stored(first)];
    const lastMs = (await first.control.time()).nowMs;
    const second = await start();
    expect(await times(second)).toEqual(timesBefore);
    expect(await stored(second)).toEqual(storedBefore);
    expect((await second.control.time()).nowMs).toBeGreaterThanOrEqual(lastMs);
    await second.control.advanceTime({ byMs: 59 * MINUTE_MS });
    expect((await second.control.messages('due')).items).toEqual([]);
    await second.control.advanceTime({ byMs: 2 * MINUTE_MS });
    expect((await second.control.messages('due')).items).toHaveLength(1);
    const third = await start();
    expect((await third.control.time()).offsetMs).toBeGreaterThan(5 * DAY_MS + HOUR_MS - MINUTE_MS);
  });

  it('does not start without time travel, and starts with it afterwards', async () => {
    const first = await start();
    await first.control.advanceTime({ byMs: DAY_MS });
    await first.close();
    const rejected = { code: 'TIME_MOVED', message: expect.stringContaining('start it with timeTravel') };
    await expect(new EmbeddedBroker({ data }).start()).rejects.toMatchObject(rejected);
    await expect(new EmbeddedBroker({ data, clock: new ManualClock() }).start()).rejects.toMatchObject(rejected);
    const again = await start();
    expect((await again.control.time()).offsetMs).toBeGreaterThan(DAY_MS - MINUTE_MS);
  });

  it('can be used without time travel as long as its time was not moved', async () => {
    await start();
    await bench?.close();
    const broker = new EmbeddedBroker({ data });
    await broker.start();
    await broker.stop();
  });

  it('never shows a time before the one that was stored, even if the clock of the machine went back', async () => {
    const first = await start();
    const { nowMs } = await first.control.advanceTime({ byMs: DAY_MS });
    await first.close();
    bench = undefined;
    const broker = new EmbeddedBroker({ data, timeTravel: true, controlPort: 0 });
    const machine = broker as unknown as { realClock: { nowMs(): number } };
    const { realClock } = machine;
    const real = realClock.nowMs.bind(realClock);
    realClock.nowMs = () => real() - 2 * HOUR_MS;
    await broker.start();
    expect((broker as unknown as { clock: { nowMs(): number } }).clock.nowMs()).toBeGreaterThanOrEqual(
      nowMs - MINUTE_MS,
    );
    await broker.stop();
  });

  it('adds up its jumps', async () => {
    const one = await start();
    const { travel } = one.broker as unknown as { travel: { line: { all: unknown[] } } };
    const before = Date.now();
    for (let jumps = 0; jumps < 30; jumps++) await one.control.advanceTime({ byMs: MINUTE_MS });
    expect(travel.line.all).toHaveLength(60);
    const { nowMs, offsetMs } = await one.control.time();
    expect(nowMs).toBeGreaterThanOrEqual(before + 30 * MINUTE_MS);
    expect(offsetMs).toBeLessThanOrEqual(30 * MINUTE_MS);
  });

  it('keeps a bounded number of jumps, and continues after the last', () => {
    const store = new MemoryStore();
    const realClock = new ManualClock(1_000);
    const travelOn = (): { travel: TimeTravel; clock: TravelClock } => {
      const clock: TravelClock = new TravelClock(realClock, (from, to) => travel.jump(from, to));
      const travel: TimeTravel = new TimeTravel({ clock, realClock, store, inside: {} as never, nextDueAtMs: () => 0 });
      travel.load();
      return { travel, clock };
    };
    for (let starts = 0; starts < 1_500; starts++) {
      realClock.advanceTo(realClock.nowMs() + 10);
      const { clock } = travelOn();
      clock.advanceTo(clock.nowMs() + HOUR_MS);
    }
    const { travel, clock } = travelOn();
    expect(travel.line.all).toHaveLength(2_000);
    expect([...store.scan(keys.times)]).toHaveLength(2_000);
    expect(clock.nowMs()).toBe(realClock.nowMs() + 1_500 * HOUR_MS);
    expect(travel.line.toClient(clock.nowMs())).toBe(realClock.nowMs());
    expect(travel.line.toClient(clock.nowMs() - 1)).toBe(realClock.nowMs());
  });
});
