// The lag that the instances of an application keep: once for all of them, and what it costs when a server is away.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { Connection } from '../../client/connection.js';
import { RocketMQAdmin } from '../../entries/admin.js';
import { Producer } from '../../producer/producer.js';
import { type LagRecord, parseLagRecord } from '../../protocol/model/lag-record.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { TestBroker } from '../../testing/test-broker.js';
import { LagLog } from './lag-log.js';

const GROUPS = ['billing', 'mail', 'search', 'shop', 'stock'];

describe('the lag of consumer groups', () => {
  let broker: TestBroker;
  let admin: RocketMQAdmin;
  let connection: Connection;
  let producer: Producer;
  const logger = recordingLogger();
  const logs: LagLog[] = [];

  beforeEach(async () => {
    logger.lines.length = 0;
    broker = await TestBroker.start({ manualClock: true, nameServerPort: 0 });
    broker.declareTopic({ name: 'operations', type: 'normal', queues: 4 });
    broker.declareTopic({ name: 'orders', type: 'normal', queues: 1 });
    for (const name of GROUPS) broker.declareGroup({ name });
    admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint, timeoutMs: 20 * SECOND_MS });
    connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    producer = new Producer(connection);
    await producer.start();
    for (const consumerGroup of GROUPS)
      await admin.rewindGroup({ consumerGroup, topic: 'orders', to: { kind: 'beginning' } });
  });
  afterEach(async () => {
    for (const log of logs.splice(0)) await log.stop();
    await producer.close();
    connection.close();
    await admin.close();
    await broker.stop();
  });

  /** One instance. @param phase the share of the interval after which its first sample is due */
  function start(phase: number, groups: readonly string[] = GROUPS): LagLog {
    const { clock } = broker;
    const log = new LagLog({
      topic: 'operations',
      everyMs: MINUTE_MS,
      clock,
      random: { next: () => phase },
      logger,
      instance: `host@${logs.length}`,
      admin,
      groups: () => groups,
      send: (message, options) => producer.send(message, options),
    });
    logs.push(log);
    log.start();
    return log;
  }

  const kept = (group?: string): LagRecord[] =>
    broker
      .messages('operations')
      .flatMap(({ body }) => parseLagRecord(body) ?? [])
      .filter(({ consumerGroup }) => group === undefined || group === consumerGroup)
      .sort((left, right) => left.atMs - right.atMs);
  const send = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent++) await producer.send({ topic: 'orders', body: 'x' });
  };

  it('is kept once a minute for each group, by whichever of ten instances is first', async () => {
    for (let index = 0; index < 10; index++) start((index + 0.5) / 10);
    await send(3);
    await broker.advance(20 * MINUTE_MS);
    for (const group of GROUPS) {
      const records = kept(group);
      expect(records).toHaveLength(20);
      expect(new Set(records.map(({ atMs }) => Math.floor((atMs - (records[0]?.atMs ?? 0)) / MINUTE_MS))).size).toBe(
        20,
      );
      expect(records[0]).toMatchObject({ lag: 3, topics: [{ topic: 'orders', lag: 3 }] });
    }
    expect(logger.lines).toEqual([]);
  }, 60_000);

  it('is kept by another instance from the next minute on, when the one that kept it has ended', async () => {
    const first = start(0.1, ['billing']);
    start(0.6, ['billing']);
    start(0.9, ['billing']);
    await broker.advance(3 * MINUTE_MS);
    await first.stop();
    await broker.advance(3 * MINUTE_MS);
    const instances = kept().map(({ instance }) => instance);
    expect(instances).toEqual(['host@0', 'host@0', 'host@0', 'host@1', 'host@1', 'host@1']);
  });

  it('is kept once again after a minute in which all instances were due at the same moment', async () => {
    for (let index = 0; index < 10; index++) start(0.5, ['billing']);
    await broker.advance(MINUTE_MS);
    const together = kept().length;
    expect(together).toBeLessThanOrEqual(10);
    await broker.advance(5 * MINUTE_MS);
    expect(kept()).toHaveLength(together + 5);
  });

  it('has the largest sample of the hour in each record, whichever instance has kept it', async () => {
    const { clock } = broker;
    await broker.advance(HOUR_MS - (clock.nowMs() % HOUR_MS));
    start(0, ['billing']);
    await send(50);
    await broker.advance(2 * MINUTE_MS);
    await logs[0]?.stop();
    await admin.rewindGroup({ consumerGroup: 'billing', topic: 'orders', to: { kind: 'end' } });
    await send(7);
    start(0.5, ['billing']);
    await broker.advance(10 * MINUTE_MS);
    const last = kept().at(-1);
    expect(last).toMatchObject({
      instance: 'host@1',
      lag: 7,
      peak: { lag: 50, topics: [{ topic: 'orders', lag: 50 }] },
    });
    await broker.advance(HOUR_MS);
    expect(kept().at(-1)).toMatchObject({ lag: 7 });
    expect(kept().at(-1)?.peak).toBeUndefined();
    const { hours, latest, unreadBeforeMs, failures } = await admin.lagHistory('operations', 'billing', {
      to: new Date(clock.nowMs()),
    });
    expect(hours.map(({ lag }) => lag)).toEqual([50, 7]);
    expect([latest?.lag, unreadBeforeMs, failures]).toEqual([7, undefined, []]);
  }, 60_000);

  it('that cannot be asked or kept costs its sample, and one line of the log', async () => {
    start(0.5, ['billing', 'no-such-group', 'shop']);
    await broker.advance(MINUTE_MS);
    const before = kept().length;
    expect(before).toBe(2);
    broker.faults.add({
      rpc: 'sendMessage',
      action: { kind: 'answer', code: 'FORBIDDEN' },
      times: Number.POSITIVE_INFINITY,
    });
    await broker.advance(3 * MINUTE_MS);
    expect(kept()).toHaveLength(before);
    expect(logger.lines.filter(([line]) => line.startsWith('warn the lag of'))).toHaveLength(1);
    broker.faults.clear();
    await broker.advance(2 * MINUTE_MS);
    expect(kept().length).toBeGreaterThan(before);
  }, 60_000);

  it('is not kept any more once it has stopped, and stopping again does nothing', async () => {
    const log = start(0, ['billing']);
    await broker.advance(MINUTE_MS);
    await log.stop();
    await log.stop();
    const before = kept().length;
    await broker.advance(5 * MINUTE_MS);
    expect(kept()).toHaveLength(before);
  });
});
