// Brokers that cannot make messages as safe as they are configured to: a disk that is never in time, and a replica that stands still. The
// tests use their own servers.

import { afterEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, Producer, type ProducerOptions } from 'nestjs-rocketmq/client';
import { startRocketMQCluster } from '../../tools/servers/rocketmq/cluster.js';
import { eventually } from '../../tools/until.js';
import { testTransport, transport } from '../fixtures/transport.js';

const TOPIC = 'orders';
const STEPS = 'steps';
const PAYMENTS = 'payments';
const TEST_MS = 300_000;
const isRemoting = testTransport === 'remoting';
const version = process.env.ROCKETMQ_TEST_VERSION;

type ClusterOptions = NonNullable<Parameters<typeof startRocketMQCluster>[0]>;

const CASES = [
  [
    'a disk that is never in time',
    'not-flushed',
    'MASTER_PERSISTENCE_TIMEOUT',
    { brokerSettings: { flushDiskType: 'SYNC_FLUSH', syncFlushTimeout: -1 } },
  ],
  [
    'a replica that stands still',
    'not-replicated',
    'SLAVE_PERSISTENCE_TIMEOUT',
    { slave: true, brokerSettings: { brokerRole: 'SYNC_MASTER', inSyncReplicas: 2, slaveTimeout: 200 } },
  ],
] as const satisfies readonly (readonly [string, string, string, ClusterOptions])[];

describe.each(CASES)('a broker with %s', (_, durability, code, options: ClusterOptions) => {
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function start() {
    const settings = { transactionCheckInterval: 2_000, ...options.brokerSettings };
    const proxies = isRemoting ? 0 : 1;
    const cluster = await startRocketMQCluster({ version, proxies, ...options, brokerSettings: settings });
    ends.push(() => cluster.stop());
    const { nameServer, slave } = cluster;
    const admin = new RocketMQAdmin({ nameServer, timeoutMs: 15_000 });
    ends.push(() => admin.close());
    await admin.createTopic({ topic: TOPIC, type: 'normal', queues: 1 });
    await admin.createTopic({ topic: STEPS, type: 'fifo', queues: 1 });
    await admin.createTopic({ topic: PAYMENTS, type: 'transaction', queues: 1 });
    const endpoints = isRemoting ? `name-server:${nameServer}` : cluster.proxies.join(';');
    const connection = new Connection({ endpoints, transport, requestTimeoutMs: 15_000 });
    ends.push(() => connection.close());
    if (slave !== undefined) {
      // Until it has connected to its master, the broker rejects messages.
      const warmUp = newProducer(connection);
      await eventually(
        () =>
          warmUp.send({ topic: TOPIC, body: 'first' }).then(
            ({ durability: found }) => found,
            () => 'rejected',
          ),
        (found) => found === 'as-configured',
      );
      cluster.signal('slave' as never, 'SIGSTOP');
    }
    return { admin, connection };
  }

  function newProducer(connection: Connection, more: ProducerOptions = {}): Producer {
    const producer = new Producer(connection, { transactionCheckers: { [PAYMENTS]: () => 'commit' }, ...more });
    ends.push(() => producer.close());
    return producer;
  }

  /** The bodies on a topic, as soon as there are that many: a broker lists what it has stored a moment later. */
  async function bodiesOf(admin: RocketMQAdmin, topic: string, count: number): Promise<string[]> {
    const look = async (): Promise<string[]> => {
      const { messages } = await admin.browseMessages(topic);
      return messages.map(({ body }) => body.toString()).filter((body) => body !== 'first');
    };
    return (await eventually(look, (all) => all.length >= count, 120_000)).sort();
  }

  it(
    'stores each message once, and its receipt says so',
    async () => {
      const { admin, connection } = await start();
      const reported: string[] = [];
      const events = { onLessDurable: (message: { durability: string }) => void reported.push(message.durability) };
      const producer = newProducer(connection, { events });
      const bodies = ['1', '2', '3', '4'];
      for (const body of bodies) expect(await producer.send({ topic: TOPIC, body })).toMatchObject({ durability });
      const steps = bodies.map((body) => ({ topic: STEPS, body, messageGroup: 'g' }));
      const batch = await producer.sendBatch(steps);
      expect(batch.map((one) => one.status === 'sent' && one.receipt.durability)).toEqual(bodies.map(() => durability));
      expect(reported).toHaveLength(8);
      expect(await bodiesOf(admin, TOPIC, 4)).toEqual(bodies);
      expect(await bodiesOf(admin, STEPS, 4)).toEqual(bodies);

      const strict = newProducer(connection, { requireDurable: true });
      await expect(strict.send({ topic: TOPIC, body: '5' })).rejects.toMatchObject({ code, outcome: 'stored' });
      expect(await bodiesOf(admin, TOPIC, 5)).toEqual([...bodies, '5']);
    },
    TEST_MS,
  );

  it(
    'delivers the message of a transaction once',
    async () => {
      const { admin, connection } = await start();
      const producer = newProducer(connection);
      await producer.start({ timeoutMs: 30_000 });
      await producer.transact({ message: { topic: PAYMENTS, body: 'paid' } }, async () => {});
      expect(await bodiesOf(admin, PAYMENTS, 1)).toEqual(['paid']);
    },
    TEST_MS,
  );
});
