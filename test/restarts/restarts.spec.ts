// Real servers that are killed under load and restarted. The tests use their own servers.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, type ConnectionOptions, Producer, PushConsumer, RocketMQError } from 'nestjs-rocketmq/client';
import { startRocketMQCluster } from '../../scripts/rocketmq/cluster.mjs';
import { startRocketMQ } from '../../scripts/rocketmq/server.mjs';
import { Arrivals } from '../support/arrivals.js';
import { Load } from '../support/load.js';
import { transport } from '../support/transport.js';

const MESSAGES_PER_SECOND = 1_000;
/** Starting a server takes long on a busy machine. */
const TEST_MS = 240_000;
const version = process.env.ROCKETMQ_TEST_VERSION;

describe('a real server under load', () => {
  const ends: (() => unknown)[] = [];
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => {
    unhandled.push(reason);
  };

  beforeEach(() => {
    unhandled.length = 0;
    process.on('unhandledRejection', onUnhandled);
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    process.off('unhandledRejection', onUnhandled);
  });

  async function clients(options: ConnectionOptions, nameServer: string) {
    const admin = new RocketMQAdmin({ nameServer });
    ends.push(() => admin.close());
    await admin.createTopic({ topic: 'orders', type: 'normal' });
    await admin.createGroup({ consumerGroup: 'readers' });
    const connection = new Connection({ transport, ...options });
    ends.push(() => connection.close());
    const producer = new Producer(connection, { topics: { orders: 'normal' } });
    ends.push(() => producer.close());
    const arrivals = new Arrivals();
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'orders' }],
      concurrency: 64,
      handler: ({ body }) => arrivals.add(body.toString()),
    });
    ends.push(() => consumer.close({ shutdownGraceMs: 1_000 }));
    await Promise.all([producer.start({ timeoutMs: 30_000 }), consumer.start({ timeoutMs: 30_000 })]);
    await warmUp(producer);
    return { producer, arrivals };
  }

  /** A server is slow just after its start, which these tests do not cover. */
  async function warmUp(producer: Producer): Promise<void> {
    const bodies = Array.from({ length: 2_000 }, (_, index) => `warm-up ${index}`);
    const worker = async (): Promise<void> => {
      for (let body = bodies.pop(); body !== undefined; body = bodies.pop()) {
        await producer.send({ topic: 'orders', body }, { timeoutMs: 30_000 });
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
  }

  it(
    'that is killed and started again loses no message that was accepted, and finds its consumers back',
    async () => {
      const server = await startRocketMQ({ version });
      ends.push(() => server.stop());
      const { producer, arrivals } = await clients({ endpoints: server.endpoints }, server.nameServer);
      const load = new Load(producer, 'orders', MESSAGES_PER_SECOND);
      ends.push(() => load.stop());
      await arrivals.until(() => arrivals.texts.length >= 2 * MESSAGES_PER_SECOND);
      await server.killBroker();
      await server.reviveBroker();
      const known = arrivals.texts.length;
      await arrivals.until(() => arrivals.texts.length > known + MESSAGES_PER_SECOND);
      const { accepted, failures } = await load.stop();
      await arrivals.of(...accepted);
      // Sends without a server fail and report whether their message may be stored.
      expect(failures.filter((error) => !RocketMQError.is(error) || error.outcome === 'rejected')).toEqual([]);
      expect(unhandled).toEqual([]);
    },
    TEST_MS,
  );

  it(
    'has several proxies, of which each is killed in turn: sends are late, none fails',
    async () => {
      const cluster = await startRocketMQCluster({ version });
      ends.push(() => cluster.stop());
      // Proxies on one machine advertise one common address; see RocketMQ's useEndpointPortFromRequest.
      const endpoints = { endpoints: cluster.proxies.join(';'), useBootstrapEndpoints: true };
      const { producer, arrivals } = await clients(endpoints, cluster.nameServer);
      const load = new Load(producer, 'orders', MESSAGES_PER_SECOND / 4);
      ends.push(() => load.stop());
      for (const index of cluster.proxies.keys()) {
        const known = arrivals.texts.length;
        await arrivals.until(() => arrivals.texts.length > known + MESSAGES_PER_SECOND / 2);
        await cluster.killProxy(index);
        await cluster.reviveProxy(index);
      }
      const { accepted, failures } = await load.stop();
      expect(failures).toEqual([]);
      await arrivals.of(...accepted);
      expect(unhandled).toEqual([]);
    },
    TEST_MS,
  );
});
