// Changes that run while the browser goes, or the application ends.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { ConsoleCore } from '../../../test/fixtures/console-core.js';
import { soon } from '../../../tools/until.js';
import type { ConsoleSource } from './source.js';

let broker: TestBroker;
let admin: RocketMQAdmin;
let connection: Connection;
let producer: Producer;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  broker = await TestBroker.start({
    strict: true,
    nameServerPort: 0,
    topics: [{ name: 'orders' }],
    groups: [{ name: 'billing' }],
  });
  closers.push(() => broker.stop());
  admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  closers.push(() => admin.close());
  connection = new Connection({ endpoints: broker.endpoints });
  closers.push(() => connection.close());
  producer = new Producer(connection);
  await producer.start();
  closers.push(() => producer.close());
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function opened(send?: ConsoleSource['send']): ConsoleCore {
  const core = new ConsoleCore({ admin, ...(send && { send }) });
  closers.push(() => core.close());
  return core;
}

it('a change does not stop half way when its tab is closed, and is audited as what became of it', async () => {
  const tab = new AbortController();
  const core = opened(async (message, { signal }) => {
    tab.abort(new Error('the browser has gone away'));
    return producer.send(message, { signal, timeoutMs: 10_000 });
  });
  const plan = await core.plan({ action: 'send', topic: 'orders', text: 'x' });
  expect(await core.execute(plan, { signal: tab.signal })).toMatchObject({ outcome: 'done' });
  expect((await admin.topicOffsets('orders')).total).toBe(1);
  expect(await core.audit()).toMatchObject([{ action: 'send', outcome: 'done' }]);
});

it('a change whose outcome is not known is audited as one that may have taken effect', async () => {
  const core = opened(async () => {
    throw Object.assign(new Error('the connection was lost'), { outcome: 'unknown' });
  });
  await core.change({ action: 'send', topic: 'orders', text: 'x' });
  expect(await core.audit()).toMatchObject([
    { outcome: 'failed', text: 'the connection was lost; it may have taken effect' },
  ]);
});

describe('a replay that takes long', () => {
  it('does not hold up the end of the application, and says what it has done', async () => {
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'billing', subscriptions: [{ topic: 'orders' }] });
    await consumer.start();
    for (let count = 0; count < 5; count++) {
      await producer.send({ topic: 'orders', body: 'x' });
      for (const message of await consumer.receive()) await consumer.forwardToDeadLetterQueue(message);
    }
    await consumer.close();
    const core = opened();
    const plan = await core.plan({ action: 'replay', consumerGroup: 'billing', perSecond: 1 });
    const running = core.execute(plan);
    await soon(async () => (await admin.topicOffsets('orders')).total > 5);
    core.close();
    const result = await running;
    expect(result).toMatchObject({ outcome: 'partly', text: expect.stringContaining('interrupted') });
    const sent = Number((await admin.topicOffsets('orders')).total) - 5;
    expect([result.details.replayed, result.details.missing]).toEqual([sent, 5 - sent]);
  });
});
