// The lag of a group over days, read from the topic in which applications keep it.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NestBench } from '../../../../../test/fixtures/nest-bench.js';
import { type BrokerScript, ScriptedCluster } from '../../../../../test/fixtures/scripted-cluster.js';
import { encodeAnswer } from '../../../../../test/fixtures/scripted-remoting-server.js';
import { RocketMQAdmin } from '../../entries/admin.js';
import { RocketMQProducer } from '../../entries/nest.js';
import { HOUR_MS, SECOND_MS } from '../../support/clock.js';

describe('the history of a lag', () => {
  let bench: NestBench;
  let admin: RocketMQAdmin;
  const cluster = new ScriptedCluster();
  const closers: (() => unknown)[] = [];

  beforeEach(async () => {
    bench = await NestBench.open({ nameServerPort: 0 });
    admin = new RocketMQAdmin({ nameServer: bench.broker.nameServerEndpoint, timeoutMs: 20 * SECOND_MS });
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await cluster.close();
    await admin.close();
    await bench.close();
  });

  it('is rejected for a time that cannot be, and of a topic that does not exist', async () => {
    const [day, month] = [new Date('2026-03-01'), new Date('2026-01-01')];
    for (const options of [{ from: day, to: month }, { from: month, to: day }, { to: new Date(Number.NaN) }])
      await expect(admin.lagHistory('operations', 'billing', options)).rejects.toMatchObject({ code: 'ILLEGAL_TIME' });
    await expect(admin.lagHistory('nope', 'billing')).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
    await expect(admin.lagHistory('a b', 'billing')).rejects.toMatchObject({ name: 'UsageError' });
  });

  it('leaves out what is no record, is of another group, or has a time that is not asked for', async () => {
    const { broker } = bench;
    broker.declareTopic({ name: 'operations', type: 'normal', queues: 1 });
    const app = await bench.start({ providers: [] });
    const nowMs = broker.clock.nowMs();
    const sample = { consumerGroup: 'billing', instance: 'x', atMs: nowMs, lag: 5, topics: [] };
    const bodies = [
      sample,
      { ...sample, consumerGroup: 'shop', lag: 9 },
      { ...sample, lag: -1 },
      { ...sample, lag: 1e300 },
      { ...sample, atMs: nowMs + 90 * 24 * HOUR_MS, lag: 8 },
      { ...sample, topics: new Array(21).fill({ topic: 't', lag: 1 }) },
      { ...sample, instance: 'x'.repeat(70_000), lag: 7 },
      null,
    ];
    const send = (body: string) => app.get(RocketMQProducer).send({ topic: 'operations', keys: ['lag:billing'], body });
    for (const body of bodies) await send(JSON.stringify(body));
    const { hours } = await admin.lagHistory('operations', 'billing', { to: new Date(nowMs) });
    expect(hours).toEqual([{ atMs: nowMs, lag: 5, topics: [] }]);
  });

  it('has at most one sample for each hour, and says which hours it could not read in time', async () => {
    const { broker } = bench;
    broker.declareTopic({ name: 'operations', type: 'normal', queues: 4 });
    const app = await bench.start({ providers: [] });
    const producer = app.get(RocketMQProducer);
    await broker.advance(HOUR_MS - (broker.clock.nowMs() % HOUR_MS));
    for (let hour = 0; hour < 12; hour++) {
      for (const lag of [hour, hour + 100, hour + 50]) {
        const atMs = broker.clock.nowMs();
        const peak = lag === hour + 50 ? { atMs: atMs - SECOND_MS, lag: hour + 100, topics: [] } : undefined;
        const body = { consumerGroup: 'billing', instance: 'x', atMs, lag, topics: [], peak };
        await producer.send({ topic: 'operations', tag: 'lag', keys: ['lag:billing'], body });
        await broker.advance(SECOND_MS);
      }
      await broker.advance(HOUR_MS - 3 * SECOND_MS);
    }
    const to = new Date(broker.clock.nowMs());
    const { hours, unreadBeforeMs } = await admin.lagHistory('operations', 'billing', { to });
    expect(hours.map(({ lag }) => lag)).toEqual(Array.from({ length: 12 }, (_, hour) => hour + 100));
    expect(unreadBeforeMs).toBeUndefined();
  });

  it('has what could be read in time, the newest first, and what the other brokers have when one is silent', async () => {
    const table = '{"brokerName":"broker-0","queueId":0,"topic":"operations"}:{"minOffset":0,"maxOffset":1}';
    const slowly: BrokerScript = ({ code, opaque }, socket) => {
      if (code === 202) return { body: `{"offsetTable":{${table}}}` };
      const timer = setTimeout(() => socket?.destroyed || socket?.write(encodeAnswer(opaque, { code: 22 })), 100);
      closers.push(() => clearTimeout(timer));
      return undefined;
    };
    const silent: BrokerScript = ({ code }) => (code === 202 ? { code: 17 } : undefined);
    for (const [scripts, away] of [
      [[slowly], []],
      [[slowly, silent], ['broker-1']],
    ] as const) {
      const { nameServer } = await cluster.start(scripts);
      const own = new RocketMQAdmin({ nameServer: nameServer.address });
      closers.push(() => own.close());
      const range = { from: new Date('2026-03-01T00:00:00Z'), to: new Date('2026-03-31T00:00:00Z') };
      const read = await own.lagHistory('operations', 'billing', { ...range, timeoutMs: 5_000 });
      expect(read.hours).toEqual([]);
      expect(read.unreadBeforeMs).toBeLessThanOrEqual(range.to.getTime());
      expect(read.unreadBeforeMs).toBeGreaterThan(range.from.getTime());
      expect(read.failures.map(({ name }) => name)).toEqual(away);
    }
  });
});
