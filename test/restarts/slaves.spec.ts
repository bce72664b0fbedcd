// Brokers whose master is killed while a slave remains. The tests use their own servers.

import { afterEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, Producer, PushConsumer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { REQUEST_CODES } from '../../libs/rocketmq/src/protocol/remoting/codes.js';
import { RemotingClient } from '../../libs/rocketmq/src/remoting/remoting-client.js';
import { withDeadline } from '../../libs/rocketmq/src/support/deadline.js';
import { type RunningCluster, startRocketMQCluster } from '../../tools/servers/rocketmq/cluster.js';
import { eventually } from '../../tools/until.js';
import { Arrivals } from '../fixtures/arrivals.js';
import { testTransport } from '../fixtures/transport.js';

const TOPIC = 'orders';
const GROUP = 'readers';
const QUEUES = 4;
const NAME_SERVER_ACTING = { supportActingMaster: true };
/** Enough for each queue of each broker to have some. */
const MANY = 64;
const TEST_MS = 300_000;
/** A slave copies topics, groups and offsets every 60 s. */
const COPIED_MS = 120_000;
/** What a cluster needs so that a slave acts as master. Without `totalReplicas`, the master does not take over the slave's offsets. */
const ACTING = { enableSlaveActingMaster: true, enableRemoteEscape: true, totalReplicas: 2 };

const version = process.env.ROCKETMQ_TEST_VERSION;
const byNameServer = testTransport === 'remoting' ? it : it.skip;

describe('a broker whose master is gone', () => {
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function clusterWith(options: Parameters<typeof startRocketMQCluster>[0]) {
    const cluster = await startRocketMQCluster({ version, proxies: 0, slave: true, ...options });
    ends.push(() => cluster.stop());
    const admin = new RocketMQAdmin({ nameServer: cluster.nameServer });
    ends.push(() => admin.close());
    await admin.createTopic({ topic: TOPIC, type: 'normal', queues: QUEUES });
    await admin.createGroup({ consumerGroup: GROUP });
    const connection = new Connection({ endpoints: `name-server:${cluster.nameServer}` });
    ends.push(() => connection.close());
    const producer = new Producer(connection, { topics: { [TOPIC]: 'normal' } });
    ends.push(() => producer.close());
    await producer.start({ timeoutMs: 30_000 });
    const arrivals = new Arrivals();
    const consume = async (): Promise<void> => {
      const options = { consumerGroup: GROUP, subscriptions: [{ topic: TOPIC }] };
      const handler = ({ body }: { body: Buffer }) => arrivals.add(body.toString());
      const consumer = new PushConsumer(connection, { ...options, handler });
      ends.push(() => consumer.close({ shutdownGraceMs: 1_000 }));
      await consumer.start({ timeoutMs: 30_000 });
    };
    return { cluster, connection, producer, arrivals, consume };
  }

  /** Sends in turn, so that the messages spread over all queues. */
  async function send(producer: Producer, what: string): Promise<string[]> {
    const bodies = Array.from({ length: MANY }, (_, index) => `${what} ${index}`);
    for (const body of bodies) await producer.send({ topic: TOPIC, body }, { timeoutMs: 30_000 });
    return bodies;
  }

  /** Resolves when the slave knows the topic, and has all messages of its master. */
  async function untilCopied({ brokers: [master = ''], slave = '' }: RunningCluster): Promise<void> {
    const client = new RemotingClient({ connectTimeoutMs: 5_000 });
    ends.push(() => client.close());
    const offsetsOn = (address: string) =>
      Promise.all(
        Array.from({ length: QUEUES }, async (_, queue) => {
          const request = { code: REQUEST_CODES.getMaxOffset, fields: { topic: TOPIC, queueId: `${queue}` } };
          const answer = await withDeadline('offset', 5_000, undefined, (deadline) =>
            client.ask(address, request, deadline),
          );
          return answer.fields.offset;
        }),
      );
    const isKnown = async (): Promise<boolean> => {
      const request = { code: REQUEST_CODES.getTopicConfig, fields: { topic: TOPIC } };
      const answer = await withDeadline('topic', 5_000, undefined, (deadline) => client.ask(slave, request, deadline));
      return answer.code === 0 && `${await offsetsOn(master)}` === `${await offsetsOn(slave)}`;
    };
    expect(await eventually(isKnown, (known) => known, COPIED_MS)).toBe(true);
  }

  byNameServer(
    'is read through the slave that acts as master, and what was acknowledged there is not redelivered',
    async () => {
      const { cluster, producer, arrivals, consume } = await clusterWith({
        brokers: 2,
        brokerSettings: ACTING,
        nameServerSettings: NAME_SERVER_ACTING,
      });
      const stored = await send(producer, 'stored');
      await untilCopied(cluster);
      await cluster.killBroker(0);
      await consume();
      await arrivals.of(...stored);
      // The other master takes them: a slave stores nothing that clients send.
      await arrivals.of(...(await send(producer, 'meanwhile')));
      await cluster.reviveBroker(0);
      // These follow in every queue, also of the master that is back, so what would be redelivered has arrived.
      await arrivals.of(...(await send(producer, 'afterwards')));
      expect(arrivals.texts.length).toBe(3 * MANY);
    },
    TEST_MS,
  );

  byNameServer(
    'stores nothing while a slave acts as the only master, and errors say so',
    async () => {
      const { cluster, connection, producer, arrivals, consume } = await clusterWith({
        brokers: 1,
        brokerSettings: ACTING,
        nameServerSettings: NAME_SERVER_ACTING,
      });
      const stored = await send(producer, 'stored');
      await cluster.killBroker(0);
      const late = new Producer(connection, {});
      ends.push(() => late.close());
      for (const messageGroup of [undefined, 'order-1']) {
        const message = { topic: TOPIC, body: 'x', ...(messageGroup === undefined ? {} : { messageGroup }) };
        const sending = late.send(message, { timeoutMs: 3_000 });
        await expect(sending).rejects.toMatchObject({ outcome: 'not-sent', retryable: true });
        await expect(sending).rejects.toThrow('a slave acts as the master of "broker" and stores no messages');
      }
      await cluster.reviveBroker(0);
      await consume();
      await arrivals.of(...stored, ...(await send(producer, 'afterwards')));
    },
    TEST_MS,
  );

  byNameServer(
    'is not read through a slave that does not act as master, and errors say so',
    async () => {
      const { cluster, connection, producer, arrivals, consume } = await clusterWith({ brokers: 1 });
      const stored = await send(producer, 'stored');
      await cluster.killBroker(0);
      const missing = 'the master of "broker" is not registered, and no slave acts as master';
      const reader = new SimpleConsumer(connection, { consumerGroup: GROUP, subscriptions: [{ topic: TOPIC }] });
      ends.push(() => reader.close());
      await expect(reader.start({ timeoutMs: 3_000 })).rejects.toThrow(missing);
      const late = new Producer(connection, {});
      ends.push(() => late.close());
      const sending = late.send({ topic: TOPIC, body: 'x' }, { timeoutMs: 3_000 });
      await expect(sending).rejects.toMatchObject({ outcome: 'not-sent', retryable: true });
      await expect(sending).rejects.toThrow(missing);
      await cluster.reviveBroker(0);
      await consume();
      await arrivals.of(...stored, ...(await send(producer, 'afterwards')));
      expect(arrivals.texts.length).toBe(2 * MANY);
    },
    TEST_MS,
  );
});
