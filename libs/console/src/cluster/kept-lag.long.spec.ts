// The lag of a week that applications have kept, as the page of a group reads it.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { ConsoleBrowser, type Json } from '../../../../test/fixtures/console-bench.js';
import type { ConsoleOptions } from '../access/options.js';
import { startStandaloneConsole } from '../mount/standalone.js';

describe('the lag of a week', () => {
  let broker: TestBroker;
  let admin: RocketMQAdmin;
  const closers: (() => unknown)[] = [];
  const atMs = Date.now() - 60_000;

  beforeAll(async () => {
    broker = await TestBroker.start({ strict: true, nameServerPort: 0, topics: [{ name: 'operations' }] });
    broker.declareGroup({ name: 'billing' });
    admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint, timeoutMs: 20_000 });
    const connection = new Connection({ endpoints: broker.endpoints });
    const producer = new Producer(connection);
    await producer.start();
    const sample = { atMs, lag: 12, topics: [{ topic: 'orders', lag: 12, behindMs: 900 }] };
    const body = JSON.stringify({ ...sample, consumerGroup: 'billing', instance: 'host@1' });
    await producer.send({ topic: 'operations', tag: 'lag', keys: ['lag:billing'], body });
    await producer.close();
    await connection.close();
  });
  afterAll(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await admin.close();
    await broker.stop();
  });

  async function read(options: ConsoleOptions, group = 'billing', times = 1): Promise<Json> {
    const standalone = await startStandaloneConsole({ admin }, options);
    closers.push(() => standalone.close());
    const browser = await ConsoleBrowser.open(standalone);
    const answers = [];
    for (let time = 0; time < times; time++) answers.push(await browser.get(`/api/groups/${group}/lag-history`));
    return answers.at(-1);
  }

  it('is the largest of each hour, and what was kept last', async () => {
    const { body } = await read({ operationsTopic: 'operations' });
    const kept = { atMs, lag: 12, topics: [{ topic: 'orders', lag: 12, behindMs: 900 }] };
    expect(body).toEqual({
      operationsTopic: 'operations',
      consumerGroup: 'billing',
      hours: [kept],
      latest: kept,
      failures: [],
    });
  });

  it('is empty for a group of which none was kept, and where the topic is not known', async () => {
    expect((await read({ operationsTopic: 'operations' }, 'other')).body).toMatchObject({ hours: [], failures: [] });
    expect((await read({})).body).toEqual({ hours: [], failures: [] });
  });

  it('is read once for all who look in the same minute', async () => {
    let asked = 0;
    const { lagHistory } = admin;
    admin.lagHistory = (...given) => {
      asked++;
      return lagHistory.apply(admin, given);
    };
    await read({ operationsTopic: 'operations' }, 'billing', 5);
    admin.lagHistory = lagHistory;
    expect(asked).toBe(1);
  });

  it('says which topic is missing', async () => {
    const { status, body } = await read({ operationsTopic: 'nope' });
    expect([status, body.error.message]).toEqual([400, expect.stringContaining('"nope" does not exist')]);
  });
});
