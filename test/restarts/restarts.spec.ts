// Real servers that are killed under load and restarted. The tests use their own servers.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, type ConnectionOptions, Producer, PushConsumer, RocketMQError } from 'nestjs-rocketmq/client';
import { startRocketMQCluster } from '../../tools/servers/rocketmq/cluster.js';
import { startRocketMQ } from '../../tools/servers/rocketmq/server.js';
import { Arrivals } from '../fixtures/arrivals.js';
import { Load } from '../fixtures/load.js';
import { testTransport, transport } from '../fixtures/transport.js';

const MESSAGES_PER_SECOND = 1_000;
/** Where something goes on meanwhile, for tests that start and end many processes. */
const STEADY_PER_SECOND = MESSAGES_PER_SECOND / 4;
/** What a killed broker had handed out comes back after this time. */
const LEASE_MS = 10_000;
/** Starting a server takes long on a busy machine. */
const TEST_MS = 240_000;
const version = process.env.ROCKETMQ_TEST_VERSION;
const isRemoting = testTransport === 'remoting';
const byProxy = isRemoting ? it.skip : it;
const byNameServer = isRemoting ? it : it.skip;

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
      invisibleDurationMs: LEASE_MS,
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

  /** Before the other one is killed: all sends are its own then. */
  async function warmUpProxy(endpoints: string): Promise<void> {
    const connection = new Connection({ transport, endpoints, useBootstrapEndpoints: true });
    const producer = new Producer(connection, { topics: { orders: 'normal' } });
    try {
      await producer.start({ timeoutMs: 30_000 });
      await warmUp(producer);
    } finally {
      await producer.close();
      connection.close();
    }
  }

  it(
    'that is killed and started again loses no message that was accepted, and finds its consumers back',
    async () => {
      const server = await startRocketMQ({ version });
      ends.push(() => server.stop());
      const endpoints = isRemoting ? `name-server:${server.nameServer}` : server.endpoints;
      const { producer, arrivals } = await clients({ endpoints }, server.nameServer);
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
      expect(some(failures.filter((error) => !RocketMQError.is(error) || error.outcome === 'rejected'))).toEqual([]);
      expect(unhandled).toEqual([]);
    },
    TEST_MS,
  );

  byProxy(
    'has several proxies, of which each is killed in turn: sends are late, none fails',
    async () => {
      const cluster = await startRocketMQCluster({ version });
      ends.push(() => cluster.stop());
      // Proxies on one machine advertise one common address; see RocketMQ's useEndpointPortFromRequest.
      // While a proxy starts on a busy machine, the other one may not answer for seconds.
      const endpoints = { endpoints: cluster.proxies.join(';'), useBootstrapEndpoints: true, requestTimeoutMs: 10_000 };
      const { producer, arrivals } = await clients(endpoints, cluster.nameServer);
      const load = new Load(producer, 'orders', STEADY_PER_SECOND);
      ends.push(() => load.stop());
      for (const index of cluster.proxies.keys()) {
        const known = arrivals.texts.length;
        await arrivals.until(() => arrivals.texts.length > known + 2 * STEADY_PER_SECOND);
        await cluster.killProxy(index);
        await cluster.reviveProxy(index);
        await warmUpProxy(cluster.proxies[index] ?? '');
      }
      const { accepted, failures } = await load.stop();
      expect(some(failures)).toEqual([]);
      await arrivals.of(...accepted);
      expect(unhandled).toEqual([]);
    },
    TEST_MS,
  );

  async function clientsOfCluster() {
    const cluster = await startRocketMQCluster({ version, brokers: 2, nameServers: 2 });
    ends.push(() => cluster.stop());
    const bench = await clients({ endpoints: `name-server:${cluster.nameServer}` }, cluster.nameServer);
    const load = new Load(bench.producer, 'orders', STEADY_PER_SECOND);
    ends.push(() => load.stop());
    const goesOn = async (): Promise<void> => {
      const known = bench.arrivals.texts.length;
      await bench.arrivals.until(() => bench.arrivals.texts.length > known + 2 * STEADY_PER_SECOND);
    };
    const endsWell = async (): Promise<void> => {
      const { accepted, failures } = await load.stop();
      expect(some(failures)).toEqual([]);
      await bench.arrivals.of(...accepted);
      expect(unhandled).toEqual([]);
    };
    return { ...bench, cluster, goesOn, endsWell };
  }

  byNameServer(
    'has several brokers, of which one is killed and one shuts down in order: sends are late, none fails',
    async () => {
      const { cluster, goesOn, endsWell } = await clientsOfCluster();
      await goesOn();
      await cluster.killBroker(0);
      await goesOn();
      await cluster.reviveBroker(0);
      await goesOn();
      await cluster.shutDownBroker(1);
      await goesOn();
      await cluster.reviveBroker(1);
      await goesOn();
      await endsWell();
    },
    TEST_MS,
  );

  byNameServer(
    'has several name servers, of which one is killed and then all: clients go on by what they know, and learn again',
    async () => {
      const { cluster, arrivals, goesOn, endsWell } = await clientsOfCluster();
      await goesOn();
      await cluster.killNameServer(0);
      await goesOn();
      const connection = new Connection({ endpoints: `name-server:${cluster.nameServer}` });
      ends.push(() => connection.close());
      const late = new PushConsumer(connection, {
        consumerGroup: 'readers',
        subscriptions: [{ topic: 'orders' }],
        handler: ({ body }) => arrivals.add(body.toString()),
      });
      ends.push(() => late.close({ shutdownGraceMs: 1_000 }));
      await late.start({ timeoutMs: 30_000 });
      await goesOn();
      await cluster.killNameServer(1);
      await goesOn();
      await Promise.all([cluster.reviveNameServer(0), cluster.reviveNameServer(1)]);
      await goesOn();
      // Only fresh routes say that this broker is away, and that it is back.
      await cluster.killBroker(1);
      await goesOn();
      await cluster.reviveBroker(1);
      await goesOn();
      await endsWell();
    },
    TEST_MS,
  );
});

/** Enough to see what went wrong: a load has thousands. */
function some(failures: readonly unknown[]): readonly unknown[] {
  return failures.slice(0, 5);
}
