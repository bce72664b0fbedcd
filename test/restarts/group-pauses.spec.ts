// A group that is paused on a real cluster, whose broker and name server are killed and restarted. The test uses its own servers.

import { afterEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { startRocketMQCluster } from '../../tools/servers/rocketmq/cluster.js';
import { Arrivals } from '../fixtures/arrivals.js';
import { testTransport, transport } from '../fixtures/transport.js';

const TEST_MS = 240_000;
const START_MS = 60_000;
const isRemoting = testTransport === 'remoting';
const PAUSE = { reason: 'the bank is away', by: 'ada' };

describe('a group that is paused', () => {
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  it(
    'stays paused when every server is killed and restarted, and its consumer receives when it is resumed',
    async () => {
      const cluster = await startRocketMQCluster({
        version: process.env.ROCKETMQ_TEST_VERSION,
        proxies: isRemoting ? 0 : 1,
      });
      ends.push(() => cluster.stop());
      const { nameServer, proxies } = cluster;
      const admin = new RocketMQAdmin({ nameServer, timeoutMs: START_MS });
      ends.push(() => admin.close());
      await admin.createTopic({ topic: 'orders', type: 'normal' });
      await admin.createGroup({ consumerGroup: 'readers' });
      await admin.pauseGroup('readers', PAUSE);

      await cluster.killBroker();
      await cluster.killNameServer(0);
      await cluster.reviveNameServer(0);
      await cluster.reviveBroker();
      expect((await admin.describeGroup('readers'))?.pause).toMatchObject(PAUSE);

      const endpoints = isRemoting ? `name-server:${nameServer}` : proxies.join(';');
      const connection = new Connection({ transport, endpoints });
      ends.push(() => connection.close());
      const producer = new Producer(connection);
      ends.push(() => producer.close());
      const arrivals = new Arrivals();
      const consumer = new PushConsumer(connection, {
        consumerGroup: 'readers',
        subscriptions: [{ topic: 'orders' }],
        describeGroup: (group, options) => admin.describeGroup(group, options),
        handler: ({ body }) => arrivals.add(body.toString()),
      });
      ends.push(() => consumer.close({ shutdownGraceMs: 1_000 }));
      await Promise.all([producer.start({ timeoutMs: START_MS }), consumer.start({ timeoutMs: START_MS })]);
      await producer.send({ topic: 'orders', body: 'a' }, { timeoutMs: START_MS });
      const deadlineMs = Date.now() + START_MS;
      while (consumer.health.groupPause?.reason !== PAUSE.reason && Date.now() < deadlineMs)
        await new Promise((resolve) => setTimeout(resolve, 100));
      expect([consumer.health.groupPause, arrivals.texts]).toEqual([{ ...PAUSE, sinceMs: expect.any(Number) }, []]);
      await admin.resumeGroup('readers');
      await arrivals.of('a');
    },
    TEST_MS,
  );
});
