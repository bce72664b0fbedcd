import { describe, expect } from '@jest/globals';
import { RocketMQAdmin, type TopicType } from 'nestjs-rocketmq/admin';
import { durationMs } from '../../libs/rocketmq/src/protocol/grpc/duration.js';
import { parseJavaJson } from '../../libs/rocketmq/src/protocol/remoting/java-json.js';
import { RemotingClient } from '../../libs/rocketmq/src/remoting/remoting-client.js';
import { withDeadline } from '../../libs/rocketmq/src/support/deadline.js';
import { consumerSettings, resource } from '../../tools/wire/raw-grpc-client.js';
import { forwardTo } from '../fixtures/tcp-forwarder.js';
import { contractSuite } from './support/contract.js';
import { texts, type World } from './support/world.js';

const contract = contractSuite();
const CLUSTER = 'DefaultCluster';

/** Waits until routes show a change: the real server polls its name server every 20 s. */
async function routeWith(world: World, topic: string, queues: number): Promise<void> {
  const client = world.rawClient();
  await world.until(`the route of ${topic} shows ${queues} queues`, async () => {
    const { messageQueues } = await client.call('queryRoute', { topic: resource(topic), endpoints: undefined });
    return messageQueues.length === queues;
  });
}

/** The route of a topic as the name server returns it. */
async function routeInWords(world: World, topic: string) {
  const client = new RemotingClient({ connectTimeoutMs: 5_000, tls: undefined, credentials: undefined });
  try {
    const fields = { topic, acceptStandardJsonOnly: 'true' };
    const answer = await withDeadline('route', 10_000, undefined, (deadline) =>
      client.call(world.backend.nameServer, { code: 105, fields }, deadline),
    );
    return parseJavaJson(answer.body.toString()) as { brokerDatas: { brokerName: string }[] };
  } finally {
    await client.close();
  }
}

describe('an answer that is lost', () => {
  contract('to a read says that nothing took effect, whatever was asked', async (world) => {
    const [host, port] = world.backend.nameServer.split(':');
    const forwarder = await forwardTo(Number(port));
    const admin = new RocketMQAdmin({ nameServer: `${host}:${forwarder.port}`, timeoutMs: 1_000 });
    try {
      await admin.listTopics({ timeoutMs: 10_000 });
      forwarder.loseAnswers();
      const unaffected = { outcome: 'not-sent', retryable: true, message: expect.not.stringContaining('may have') };
      await expect(admin.listGroups()).rejects.toMatchObject(unaffected);
      await expect(admin.describeTopic(world.name())).rejects.toMatchObject(unaffected);
    } finally {
      await admin.close();
      await forwarder.close();
    }
  });
});

describe('topics', () => {
  contract('of every type are created, and can be described at once', async (world) => {
    const admin = world.admin();
    const types: TopicType[] = ['normal', 'fifo', 'delay', 'transaction'];
    for (const type of types) {
      const topic = world.name();
      await admin.createTopic({ topic, type });
      await expect(admin.describeTopic(topic)).resolves.toMatchObject({
        topic,
        type,
        queues: 8,
        brokers: [{ cluster: CLUSTER, type, queues: 8 }],
      });
    }
  });

  contract(
    'have the order configuration that was set at the name servers, until it is removed or they are deleted',
    async (world) => {
      const admin = world.admin();
      const topic = world.name();
      await expect(admin.topicLayout(topic)).resolves.toBeUndefined();
      await admin.createTopic({ topic, type: 'fifo', queues: 4 });
      const { present = '', ...unset } = (await admin.topicLayout(topic)) ?? {};
      expect(present).toMatch(/^[\w-]+:4$/);
      expect(unset).toMatchObject({ orderConfigurations: [{ layout: undefined }], differences: [] });
      await admin.setTopicLayout(topic, `${present};gone:2`);
      await expect(admin.topicLayout(topic)).resolves.toMatchObject({
        present,
        orderConfigurations: [{ layout: `${present};gone:2` }],
        differences: ['broker gone is missing or cannot be written'],
      });
      await expect(admin.setTopicLayout(topic, 'gone')).rejects.toMatchObject({ code: 'ILLEGAL_LAYOUT' });
      await admin.createTopic({ topic, layout: 'present' });
      await expect(admin.topicLayout(topic)).resolves.toMatchObject({ orderConfigurations: [{ layout: present }] });
      await admin.removeTopicLayout(topic);
      await admin.removeTopicLayout(topic);
      await expect(admin.topicLayout(topic)).resolves.toMatchObject({ orderConfigurations: [{ layout: undefined }] });
      await admin.setTopicLayout(topic, 'present');
      await admin.deleteTopic(topic);
      await admin.createTopic({ topic, type: 'fifo', queues: 4 });
      await expect(admin.topicLayout(topic)).resolves.toMatchObject({ orderConfigurations: [{ layout: undefined }] });
    },
  );

  contract('that nobody created are unknown, and asking does not create them', async (world) => {
    const topic = world.name();
    await expect(world.admin().describeTopic(topic)).resolves.toBeUndefined();
    await expect(world.admin().describeTopic(topic)).resolves.toBeUndefined();
  });

  contract('of the cluster, of the broker and TBW102 exist: tools find the brokers by them', async (world) => {
    const { brokerDatas } = await routeInWords(world, CLUSTER);
    const [{ brokerName }] = brokerDatas as [{ brokerName: string }];
    const brokerAddrs = { 0: expect.stringMatching(/^\S+:\d+$/) };
    for (const [topic, queues] of Object.entries({ [CLUSTER]: 16, [brokerName]: 1, TBW102: 8 })) {
      expect(await routeInWords(world, topic)).toMatchObject({
        brokerDatas: [{ brokerName, cluster: CLUSTER, brokerAddrs }],
        queueDatas: [{ brokerName, readQueueNums: queues, writeQueueNums: queues, perm: 7 }],
      });
    }
    await expect(world.admin().describeTopic(CLUSTER)).resolves.toMatchObject({ queues: 16 });
  });

  contract('of the redeliveries of a group exist: tools find its progress by them', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group();
    await (await world.producer()).send({ topic, body: 'x' });
    const consumer = await world.simpleConsumer(topic, consumerGroup);
    const [message] = await consumer.receive({ longPollingTimeoutMs: 10_000 });
    if (message === undefined) throw new Error('nothing came');
    await consumer.changeInvisibleDuration(message, 0);
    await world.backend.advance(5_000);
    const retryTopic = `%RETRY%${consumerGroup}_${topic}`;
    await world.until('the route is known', () =>
      routeInWords(world, retryTopic).then(
        () => true,
        () => false,
      ),
    );
    expect(await routeInWords(world, retryTopic)).toMatchObject({ queueDatas: [{ readQueueNums: 1, perm: 6 }] });
  });

  contract('that exist are rejected with other settings and accepted with the same ones', async (world) => {
    const admin = world.admin();
    const topic = world.name();
    await admin.createTopic({ topic, type: 'normal', queues: 3 });
    const { brokers } = (await admin.describeTopic(topic)) ?? {};
    const [broker] = brokers ?? [];
    await expect(admin.createTopic({ topic, type: 'fifo', queues: 5 })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      outcome: 'not-sent',
      retryable: false,
      differences: [`its type is normal on ${broker?.name}, not fifo`, `it has 3 queues on ${broker?.name}, not 5`],
    });
    await admin.createTopic({ topic, type: 'normal', queues: 3 });
    await admin.createTopic({ topic, type: 'normal' });
    await admin.createTopic({ topic, type: 'fifo', queues: 5 }, { ifExists: 'keep' });
    await expect(admin.describeTopic(topic)).resolves.toMatchObject({ type: 'normal', queues: 3 });
  });

  contract('are altered in type and queues, and keep what is left out', async (world) => {
    const admin = world.admin();
    const topic = world.name();
    await admin.createTopic({ topic, type: 'normal', queues: 3 });
    await admin.createTopic({ topic, type: 'fifo' }, { ifExists: 'update' });
    await expect(admin.describeTopic(topic)).resolves.toMatchObject({ type: 'fifo', queues: 3 });
    await admin.createTopic({ topic, type: 'fifo', queues: 5 }, { ifExists: 'update' });
    await expect(admin.describeTopic(topic)).resolves.toMatchObject({ type: 'fifo', queues: 5 });
    await admin.createTopic({ topic, type: 'fifo', queues: 2 }, { ifExists: 'update' });
    await expect(admin.describeTopic(topic)).resolves.toMatchObject({ type: 'fifo', queues: 2 });
    await admin.createTopic({ topic, queues: 4 }, { ifExists: 'update' });
    await expect(admin.describeTopic(topic)).resolves.toMatchObject({ type: 'fifo', queues: 4 });
  });

  contract('take messages as soon as they are created', async (world) => {
    const topic = world.name();
    await world.admin().createTopic({ topic, type: 'fifo', queues: 2 });
    const recorder = await world.record({ topic });
    const producer = await world.producer();
    await producer.send({ topic, body: 'first', messageGroup: 'g' });
    await world.until('it arrives', () => recorder.deliveries.length === 1);
  });

  contract('show another number of queues in their routes, without a restart', async (world) => {
    const admin = world.admin();
    const topic = world.name();
    await admin.createTopic({ topic, type: 'normal', queues: 2 });
    await routeWith(world, topic, 2);
    await admin.createTopic({ topic, type: 'normal', queues: 5 }, { ifExists: 'update' });
    await routeWith(world, topic, 5);
    await admin.createTopic({ topic, type: 'normal', queues: 1 }, { ifExists: 'update' });
    await routeWith(world, topic, 1);
  });

  contract('hold back the messages of queues that they lost, until they have them again', async (world) => {
    const admin = world.admin();
    const topic = world.name();
    await admin.createTopic({ topic, type: 'priority', queues: 3 });
    const producer = await world.producer();
    for (const priority of [0, 1, 2]) await producer.send({ topic, body: `queue ${priority}`, priority });
    await admin.createTopic({ topic, type: 'priority', queues: 1 }, { ifExists: 'update' });
    await routeWith(world, topic, 1);
    const recorder = await world.record({ topic });
    await world.until('the one of the last queue arrives', () => recorder.deliveries.length === 1);
    await world.backend.quiet();
    expect(texts(recorder.deliveries)).toEqual(['queue 0']);
    await admin.createTopic({ topic, type: 'priority', queues: 3 }, { ifExists: 'update' });
    await routeWith(world, topic, 3);
    await world.until('the others arrive', () => recorder.deliveries.length === 3);
    expect(texts(recorder.deliveries).sort()).toEqual(['queue 0', 'queue 1', 'queue 2']);
  });

  contract('are created on the brokers of the named cluster only', async (world) => {
    const topic = world.name();
    await world.admin({ cluster: CLUSTER }).createTopic({ topic, type: 'normal' });
    await expect(world.admin().describeTopic(topic)).resolves.toMatchObject({ brokers: [{ cluster: CLUSTER }] });
    const elsewhere = world.admin({ cluster: 'NoSuchCluster' });
    await expect(elsewhere.createTopic({ topic: world.name(), type: 'normal' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'not-sent',
      message: expect.stringContaining('NoSuchCluster'),
    });
  });

  contract('are administered by the next name server when the first does not listen', async (world) => {
    const admin = world.admin({ nameServer: `127.0.0.1:1;${world.backend.nameServer}` });
    await expect(admin.describeTopic(world.name())).resolves.toBeUndefined();
  });
});

describe('consumer groups', () => {
  contract('are created with the defaults of the server', async (world) => {
    const admin = world.admin();
    const consumerGroup = world.name();
    await admin.createGroup({ consumerGroup });
    const group = await admin.describeGroup(consumerGroup);
    expect(group).toMatchObject({ consumerGroup, fifo: false, maxDeliveryAttempts: 17 });
    expect(group?.backoff).toMatchObject({ kind: 'customized', nextMs: expect.arrayContaining([1000, 7_200_000]) });
    expect(group?.brokers).toHaveLength(1);
  });

  contract('are created ordered, with attempts and an exponential backoff', async (world) => {
    const admin = world.admin();
    const consumerGroup = world.name();
    const backoff = { kind: 'exponential', initialMs: 10_000, maxMs: 60_000, multiplier: 3 } as const;
    await admin.createGroup({ consumerGroup, fifo: true, maxDeliveryAttempts: 4, backoff });
    const group = await admin.describeGroup(consumerGroup);
    expect(group).toMatchObject({ fifo: true, maxDeliveryAttempts: 4, backoff });
  });

  contract('that exist are rejected with other settings and accepted with the same ones', async (world) => {
    const admin = world.admin();
    const consumerGroup = world.name();
    const backoff = { kind: 'customized', nextMs: [10_000, 20_000] } as const;
    const created = { consumerGroup, fifo: true, maxDeliveryAttempts: 5, backoff };
    await admin.createGroup(created);
    const other = { kind: 'customized', nextMs: [10_000] } as const;
    for (const change of [{ fifo: false }, { maxDeliveryAttempts: 6 }, { backoff: other }]) {
      const rejected = admin.createGroup({ consumerGroup, ...change });
      await expect(rejected).rejects.toMatchObject({ code: 'ALREADY_EXISTS', differences: [expect.any(String)] });
    }
    await admin.createGroup(created);
    await admin.createGroup({ consumerGroup });
    await expect(admin.describeGroup(consumerGroup)).resolves.toMatchObject(created);
  });

  contract('are altered, and keep what is left out', async (world) => {
    const admin = world.admin();
    const consumerGroup = world.name();
    const backoff = { kind: 'customized', nextMs: [10_000, 20_000] } as const;
    await admin.createGroup({ consumerGroup, fifo: true, maxDeliveryAttempts: 5, backoff });
    await admin.createGroup({ consumerGroup, maxDeliveryAttempts: 1 }, { ifExists: 'update' });
    const kept = await admin.describeGroup(consumerGroup);
    expect(kept).toMatchObject({ fifo: true, maxDeliveryAttempts: 1, backoff });
    await admin.createGroup({ consumerGroup, fifo: false }, { ifExists: 'update' });
    await expect(admin.describeGroup(consumerGroup)).resolves.toMatchObject({ fifo: false, maxDeliveryAttempts: 1 });
  });

  contract('are not created by asking for them', async (world) => {
    const consumerGroup = world.name();
    await expect(world.admin().describeGroup(consumerGroup)).resolves.toBeUndefined();
    await expect(world.admin().describeGroup(consumerGroup)).resolves.toBeUndefined();
  });

  contract('are found among hundreds', async (world) => {
    const admin = world.admin({ timeoutMs: 20_000 });
    const names = Array.from({ length: 300 }, () => world.name());
    // The broker writes or reads all of them for each: all at once, the last ones would wait for hundreds.
    const inParts = async <T>(work: (name: string) => Promise<T>): Promise<T[]> => {
      const done: T[] = [];
      for (let from = 0; from < names.length; from += 20) {
        done.push(...(await Promise.all(names.slice(from, from + 20).map(work))));
      }
      return done;
    };
    await inParts((consumerGroup) => admin.createGroup({ consumerGroup }));
    const found = await inParts((consumerGroup) => admin.describeGroup(consumerGroup));
    expect(found.filter((group) => group === undefined)).toEqual([]);
  });

  contract('send their attempts and delays with the next settings', async (world) => {
    const admin = world.admin();
    const consumerGroup = world.name();
    await admin.createGroup({ consumerGroup });
    const asSettings = async () => {
      const { call, reply } = await world.rawClient().settle(consumerSettings(consumerGroup));
      call.end();
      if (reply.command?.$case !== 'settings') throw new Error('no settings');
      const { backoffPolicy, pubSub } = reply.command.value;
      const strategy = backoffPolicy?.strategy;
      const next = strategy?.$case === 'customizedBackoff' ? strategy.value.next.map(durationMs) : strategy?.$case;
      const fifo = pubSub?.$case === 'subscription' && pubSub.value.fifo;
      return { attempts: backoffPolicy?.maxAttempts, next, fifo };
    };
    expect(await asSettings()).toMatchObject({ attempts: 17, fifo: false });
    const backoff = { kind: 'customized', nextMs: [11_000, 22_000] } as const;
    await admin.createGroup({ consumerGroup, fifo: true, maxDeliveryAttempts: 3, backoff }, { ifExists: 'update' });
    expect(await asSettings()).toEqual({ attempts: 3, next: [11_000, 22_000], fifo: true });
  });

  contract('that were altered deliver by their new number of attempts at the next pop', async (world) => {
    const admin = world.admin();
    const topic = await world.topic();
    const consumerGroup = await world.group({ maxDeliveryAttempts: 5 });
    const consumer = await world.simpleConsumer(topic, consumerGroup);
    const producer = await world.producer();
    await producer.send({ topic, body: 'x' });
    const [first] = await consumer.receive();
    await admin.createGroup({ consumerGroup, maxDeliveryAttempts: 1 }, { ifExists: 'update' });
    if (first !== undefined) await consumer.changeInvisibleDuration(first, 0);
    await world.backend.advance(5_000);
    await world.until('it is a dead letter', async () => {
      expect(await consumer.receive({ longPollingTimeoutMs: 5_000 })).toEqual([]);
      return (await admin.listDeadLetters(consumerGroup, { limit: 1 })).total === 1;
    });
  });
});
