// Consumer groups whose settings differ between two brokers. The tests use their own servers.

import { afterEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, Producer, PushConsumer, type PushConsumerOptions } from 'nestjs-rocketmq/client';
import { REQUEST_CODES } from '../../libs/rocketmq/src/protocol/remoting/codes.js';
import { RemotingClient } from '../../libs/rocketmq/src/remoting/remoting-client.js';
import { withDeadline } from '../../libs/rocketmq/src/support/deadline.js';
import { type RunningCluster, startRocketMQCluster } from '../../tools/servers/rocketmq/cluster.js';
import { soon } from '../../tools/until.js';
import { Arrivals } from '../fixtures/arrivals.js';
import { testTransport } from '../fixtures/transport.js';

const GROUP = 'readers';
const TOPIC = 'steps';
const TEST_MS = 240_000;
const START = { timeoutMs: 30_000 };
const ON_BOTH = 8;

const version = process.env.ROCKETMQ_TEST_VERSION;
/** A proxy asks one of the brokers and says the same of all, so what differs cannot be seen through it. */
const byNameServer = testTransport === 'remoting' ? it : it.skip;

describe('a group whose settings differ between two brokers', () => {
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function world() {
    const cluster = await startRocketMQCluster({ version, brokers: 2, brokerHeap: '512m' });
    ends.push(() => cluster.stop());
    const admin = new RocketMQAdmin({ nameServer: cluster.nameServer, timeoutMs: 15_000 });
    ends.push(() => admin.close());
    const lines: { text: string; fields: Record<string, unknown> }[] = [];
    const note = (text: string, fields = {}): void => void lines.push({ text, fields });
    const logger = { debug() {}, info: note, warn: note, error: note };
    const connection = new Connection({ endpoints: `name-server:${cluster.nameServer}`, logger });
    ends.push(() => connection.close());
    const producer = new Producer(connection);
    ends.push(() => producer.close());
    const consumerWith = (options: Partial<PushConsumerOptions>): PushConsumer => {
      const consumer = new PushConsumer(connection, {
        consumerGroup: GROUP,
        subscriptions: [{ topic: TOPIC }],
        handler: () => {},
        ...options,
      });
      ends.push(() => consumer.close({ shutdownGraceMs: 1_000 }));
      return consumer;
    };
    return { cluster, admin, lines, producer, consumerWith };
  }

  /** A request to one broker, as tools send it. */
  async function ask(
    address: string | undefined,
    request: { code: number; fields?: Record<string, string>; body?: Buffer },
  ) {
    const client = new RemotingClient({ connectTimeoutMs: 5_000 });
    try {
      await withDeadline('request of a tool', 10_000, undefined, (deadline) =>
        client.call(address ?? '', request, deadline),
      );
    } finally {
      await client.close();
    }
  }

  function setGroup({ brokers }: RunningCluster, index: number, settings: object): Promise<void> {
    const body = Buffer.from(JSON.stringify({ groupName: GROUP, ...settings }));
    return ask(brokers[index], { code: REQUEST_CODES.updateAndCreateSubscriptionGroup, body });
  }

  /** The topic can be read on both brokers, and written on the first one only. */
  async function writeOnFirst({ brokers }: RunningCluster): Promise<void> {
    const queues = { readQueueNums: '4', writeQueueNums: '4', perm: '4' };
    const fields = {
      topic: TOPIC,
      defaultTopic: 'TBW102',
      topicFilterType: 'SINGLE_TAG',
      topicSysFlag: '0',
      order: 'false',
    };
    await ask(brokers[1], { code: REQUEST_CODES.updateAndCreateTopic, fields: { ...fields, ...queues } });
  }

  byNameServer(
    'is rejected at each start where it must be ordered, until all brokers have it so',
    async () => {
      const { cluster, admin, consumerWith } = await world();
      await admin.createTopic({ topic: TOPIC, type: 'fifo' });
      await admin.createGroup({ consumerGroup: GROUP, fifo: true });
      await setGroup(cluster, 1, { consumeMessageOrderly: false });
      for (let start = 0; start < 3; start++) {
        const starting = consumerWith({ requireFifo: true }).start(START);
        await expect(starting).rejects.toMatchObject({
          code: 'CONSUMER_GROUP_NOT_FIFO',
          message: expect.stringContaining(`broker-1 (${cluster.brokers[1]})`),
        });
      }
      await admin.createGroup({ consumerGroup: GROUP, fifo: true }, { ifExists: 'update' });
      await consumerWith({ requireFifo: true }).start(START);
    },
    TEST_MS,
  );

  byNameServer(
    'has on each broker the attempts of that broker, with the hooks of the listener, and a warning names both',
    async () => {
      const { cluster, admin, lines, producer, consumerWith } = await world();
      await admin.createTopic({ topic: TOPIC, type: 'normal', queues: 4 });
      await writeOnFirst(cluster);
      const backoff = { kind: 'customized', nextMs: [1_000] } as const;
      await admin.createGroup({ consumerGroup: GROUP, backoff });
      await admin.createGroup({ consumerGroup: GROUP, maxDeliveryAttempts: 3 }, { ifExists: 'update' });
      await setGroup(cluster, 1, { retryMaxTimes: 16 });
      const kept = new Arrivals();
      const consumer = consumerWith({
        handler: () => Promise.reject(new Error('fails')),
        deadLetterTo: async ({ message }) => kept.add(`${message.body} ${message.deliveryAttempt}`),
      });
      await consumer.start(START);
      await producer.start(START);
      const bodies = Array.from({ length: 6 }, (_, index) => `message ${index}`);
      for (const body of bodies) await producer.send({ topic: TOPIC, body }, START);
      await kept.of(...bodies.map((body) => `${body} 3`));
      expect((await admin.listDeadLetters(GROUP, { limit: 1 })).total).toBe(0);
      const differing = lines.filter(({ text }) => text.includes('settings of the consumer group differ'));
      const [warning] = differing;
      expect(warning?.fields.maxAttempts).toBe(
        `17 on broker-1 (${cluster.brokers[1]}); 3 on broker (${cluster.brokers[0]})`,
      );
    },
    TEST_MS,
  );

  byNameServer(
    'is not received unordered from a broker that joins, which creates it by itself, before it is ordered there',
    async () => {
      const { cluster, admin, lines, producer, consumerWith } = await world();
      await admin.createTopic({ topic: TOPIC, type: 'fifo' });
      await setGroup(cluster, 0, { consumeMessageOrderly: true });
      await cluster.killBroker(1);
      const arrivals = new Arrivals();
      const handler = ({ body }: { body: Buffer }): void => arrivals.add(body.toString());
      const consumer = consumerWith({ requireFifo: true, handler });
      await consumer.start(START);
      await cluster.reviveBroker(1);
      const isRejected = () => consumer.health.sessions.some(({ status }) => status === 'rejected');
      await soon(isRejected, 90_000);
      expect(lines.some(({ fields }) => String(fields.error).includes(`group create ${GROUP} --fifo --yes`))).toBe(
        true,
      );
      await producer.start(START);
      const bodies = Array.from({ length: 4 * ON_BOTH }, (_, index) => `message ${index}`);
      for (const body of bodies) {
        await producer.send({ topic: TOPIC, body, messageGroup: `group ${Number(body.slice(8)) % ON_BOTH}` }, START);
      }
      await admin.createGroup({ consumerGroup: GROUP, fifo: true }, { ifExists: 'update' });
      await arrivals.of(...bodies);
      for (let group = 0; group < ON_BOTH; group++) {
        const isOfGroup = (body: string): boolean => Number(body.slice(8)) % ON_BOTH === group;
        expect([...new Set(arrivals.texts)].filter(isOfGroup)).toEqual(bodies.filter(isOfGroup));
      }
    },
    TEST_MS,
  );
});
