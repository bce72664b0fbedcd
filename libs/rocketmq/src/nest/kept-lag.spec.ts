// The module option `operations`: the lag of the application's groups is in a topic, for a week, whatever becomes of the application.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { NestBench } from '../../../../test/fixtures/nest-bench.js';
import { RocketMQAdmin } from '../entries/admin.js';
import { InjectRocketMQAdmin, type OperationsOptions, RocketMQListener, RocketMQModule } from '../entries/nest.js';
import { type LagRecord, parseLagRecord } from '../protocol/model/lag-record.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../support/clock.js';

@Injectable()
class Billing {
  @RocketMQListener('orders', { consumerGroup: 'billing' })
  charge(): void {}

  @RocketMQListener('prices', { mode: 'broadcast', consumerGroup: 'prices' })
  reprice(): void {}
}

describe('the lag of the groups of an application', () => {
  let bench: NestBench;
  let admin: RocketMQAdmin;

  beforeEach(async () => {
    bench = await NestBench.open({ nameServerPort: 0 });
    const nameServer = bench.broker.nameServerEndpoint;
    admin = new RocketMQAdmin({ nameServer, timeoutMs: 20 * SECOND_MS });
  });
  afterEach(async () => {
    await admin.close();
    await bench.close();
  });

  const start = (operations: OperationsOptions, names: { topicPrefix?: string; groupPrefix?: string } = {}) => {
    const nameServer = bench.broker.nameServerEndpoint;
    return bench.start({ providers: [Billing], options: { nameServer, operations, ...names } });
  };
  const kept = (topic = 'operations'): LagRecord[] =>
    bench.broker.messages(topic).flatMap(({ body }) => parseLagRecord(body) ?? []);

  it('is kept each minute until the application shuts down, and read by hour afterwards', async () => {
    const app = await start({ topic: 'operations' });
    const clock = bench.broker.clock;
    await bench.broker.advance(HOUR_MS - (clock.nowMs() % HOUR_MS));
    const before = kept().length;
    await bench.broker.advance(5 * MINUTE_MS);
    expect(kept().length - before).toBe(5);
    expect(new Set(kept().map(({ consumerGroup }) => consumerGroup))).toEqual(new Set(['billing']));
    await bench.send(app, 'orders', '"one"');
    await bench.closeApps();
    const after = kept().length;
    await bench.broker.advance(5 * MINUTE_MS);
    expect(kept()).toHaveLength(after);
    const to = new Date(clock.nowMs());
    const { hours, latest } = await admin.lagHistory('operations', 'billing', { to });
    expect(hours.map(({ lag, topics }) => ({ lag, topics }))).toContainEqual({
      lag: 0,
      topics: [{ topic: 'orders', lag: 0 }],
    });
    expect(latest?.atMs).toBe(Math.max(...kept().map(({ atMs }) => atMs)));
  });

  it('is kept by the names on the cluster, and as often as is wished, or not at all', async () => {
    await start({ topic: 'operations', lagEveryMs: 10_000 }, { topicPrefix: 'eu-', groupPrefix: 'eu-' });
    await bench.broker.advance(MINUTE_MS);
    expect(kept('eu-operations')).toHaveLength(6);
    expect(kept('eu-operations')[0]).toMatchObject({ consumerGroup: 'eu-billing', topics: [{ topic: 'eu-orders' }] });
    await bench.closeApps();
    await start({ topic: 'operations', lagEveryMs: 0 });
    await bench.broker.advance(5 * MINUTE_MS);
    expect(kept()).toEqual([]);
  });

  it('is kept in a broker inside the application, too', async () => {
    @Injectable()
    class Operator {
      constructor(@InjectRocketMQAdmin() readonly admin: RocketMQAdmin) {}
    }
    const options = { endpoints: 'embedded:', operations: { topic: 'operations' } };
    const app = await bench.start({ providers: [Billing, Operator], options });
    await bench.broker.advance(2 * MINUTE_MS);
    const to = new Date(bench.broker.clock.nowMs());
    const { latest } = await app.get(Operator).admin.lagHistory('operations', 'billing', { to });
    expect(latest).toMatchObject({ lag: 0, topics: [{ topic: 'orders' }] });
  });

  it('is rejected by field, and without administration access', async () => {
    const endpoints = bench.broker.endpoints;
    const withLag = (lagEveryMs: unknown) => () =>
      RocketMQModule.forRoot({ endpoints, operations: { topic: 'operations', lagEveryMs: lagEveryMs as number } });
    expect(withLag(5_000)).toThrow(/option operations\.lagEveryMs/);
    expect(withLag('1m')).toThrow(/option operations\.lagEveryMs/);
    const bare = { operations: { topic: 'operations', lagEveryMs: MINUTE_MS } };
    await expect(bench.start({ providers: [Billing], options: bare })).rejects.toMatchObject({
      code: 'NO_NAME_SERVER',
    });
  });

  it('is not kept without name servers, which is no error when nobody asked for it', async () => {
    @Injectable()
    class Shared {
      @RocketMQListener('orders', { consumerGroup: 'billing' })
      charge(): void {}
    }
    await bench.start({ providers: [Shared], options: { operations: { topic: 'operations' } } });
    await bench.broker.advance(5 * MINUTE_MS);
    expect(kept()).toEqual([]);
  });
});
