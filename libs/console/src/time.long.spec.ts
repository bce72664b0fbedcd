// The time of an embedded broker, moved by the console.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { ConsoleBrowser } from '../../../test/fixtures/console-bench.js';
import { startStandaloneConsole } from './mount/standalone.js';

const HOUR_MS = 3_600_000;

let browser: ConsoleBrowser;
let producer: Producer;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  const broker = new EmbeddedBroker({
    nameServerPort: 0,
    timeTravel: true,
    topics: [{ name: 'reminders', type: 'delay' }],
    groups: [{ name: 'billing' }],
  });
  await broker.start();
  closers.push(() => broker.stop());
  const connection = new Connection({ endpoints: broker.endpoints });
  closers.push(() => connection.close());
  producer = new Producer(connection);
  closers.push(() => producer.close());
  const admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  closers.push(() => admin.close());
  const console = await startStandaloneConsole({ admin, control: broker.control, connection });
  closers.push(() => console.close());
  browser = await ConsoleBrowser.open(console);
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

describe('the time of the broker', () => {
  it('is shown with what is due, and moves ahead to what is due next, by a duration, and to a time', async () => {
    expect((await browser.get('/api/session')).body).toMatchObject({ has: { time: true } });
    const nothing = await browser.post('/api/plans', { action: 'time', next: true });
    expect(nothing).toMatchObject({ status: 409, body: { error: { code: 'NOTHING_DUE' } } });

    const { messageId } = await producer.send({ topic: 'reminders', body: 'soon', delayMs: HOUR_MS });
    const later = await producer.send({ topic: 'reminders', body: 'later', delayMs: 3 * HOUR_MS });
    const fresh = async () => {
      for (;;) {
        const { body } = await browser.get('/api/time');
        if (body.due.length > 0) return body;
      }
    };
    const before = await fresh();
    expect(before.due).toMatchObject([
      { kind: 'delayed', topic: 'reminders', messageId },
      { kind: 'delayed', messageId: later.messageId },
    ]);
    const { plan, done } = await browser.change({ action: 'time', next: true });
    expect(plan.preview).toMatchObject({ toMs: before.nextDueAtMs, due: [{ messageId }], dueMore: false });
    expect(done).toMatchObject({ outcome: 'done', details: { passed: 1 } });
    expect((await browser.get('/api/topics/reminders/messages')).body.messages).toMatchObject([{ messageId }]);
    expect((await browser.get('/api/delayed')).body.messages).toMatchObject([{ messageId: later.messageId }]);

    const by = await browser.change({ action: 'time', by: HOUR_MS });
    expect(by).toMatchObject({ plan: { preview: { due: [] } }, done: { outcome: 'done', details: { passed: 0 } } });
    const { body: now } = await browser.get('/api/time');
    expect(now.offsetMs).toBeGreaterThanOrEqual(2 * HOUR_MS - 5_000);
    const to = await browser.change({ action: 'time', to: String(now.nowMs + 2 * HOUR_MS) });
    expect(to).toMatchObject({
      plan: { preview: { due: [{ messageId: later.messageId }] } },
      done: { outcome: 'done' },
    });
    expect(await browser.events('/api/events', 'event: time')).toContain('"offsetMs"');
  });

  it('is not that of the pages: what they show and take is by the clock of those who send and receive', async () => {
    const { messageId } = await producer.send({ topic: 'reminders', body: 'before', delayMs: 10 });
    await browser.change({ action: 'time', by: 3 * HOUR_MS });
    const isNow = (ms: number): boolean => Math.abs(ms - Date.now()) < HOUR_MS / 2;
    const { nowMs } = (await browser.get('/api/session')).body;
    const [message] = (await browser.get('/api/topics/reminders/messages')).body.messages;
    expect([message.messageId, isNow(nowMs), isNow(message.storeTimestampMs)]).toEqual([messageId, true, true]);

    const sent = await browser.change({ action: 'send', topic: 'reminders', text: 'x', deliverAtMs: nowMs + 60_000 });
    expect(sent).toMatchObject({ plan: { preview: { deliverAtMs: nowMs + 60_000 } }, done: { outcome: 'done' } });
    const [waiting] = (await browser.get('/api/delayed')).body.messages;
    expect(Math.abs(waiting.dueTimestampMs - nowMs - 60_000)).toBeLessThan(10_000);
    expect(
      (await browser.get('/api/delayed/calendar')).body.byMinute.map(({ atMs }: { atMs: number }) => isNow(atMs)),
    ).toEqual([true]);

    // An hour ago is before the message, so nothing is skipped.
    const rewind = {
      action: 'rewind',
      consumerGroup: 'billing',
      topic: 'reminders',
      to: 'time',
      timeMs: nowMs - HOUR_MS,
    };
    const { preview } = (await browser.post('/api/plans', rewind)).body;
    expect(preview.moves.map(({ to }: { to: number }) => to)).toEqual(Array(8).fill(0));
  });

  it('moves ahead only, and one way at a time', async () => {
    const { nowMs } = (await browser.get('/api/time')).body;
    for (const target of [{}, { by: 1, next: true }, { by: 0 }, { by: 400 * 86_400_000 }, { to: nowMs - 1_000 }])
      expect([target, (await browser.post('/api/plans', { action: 'time', ...target })).status]).toEqual([target, 400]);
  });
});
