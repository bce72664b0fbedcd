// The admin client against a real Apache RocketMQ. Runs by `npm run test:rocketmq` only.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin, type TopicType } from 'nestjs-rocketmq/admin';

const nameServer = process.env.ROCKETMQ_TEST_NAME_SERVER ?? '';
const unique = (prefix: string): string => `${prefix}-${randomUUID().slice(0, 8)}`;

describe('RocketMQAdmin on a real server', () => {
  let admin: RocketMQAdmin;
  beforeAll(() => {
    admin = new RocketMQAdmin({ nameServer });
  });
  afterAll(() => admin.close());

  it.each<TopicType>(['normal', 'fifo', 'delay', 'transaction'])(
    'creates a topic of type %s that can be described at once',
    async (type) => {
      const topic = unique(type);
      await admin.createTopic({ topic, type });

      await expect(admin.describeTopic(topic)).resolves.toMatchObject({
        topic,
        type,
        queues: 8,
        brokers: [{ name: 'broker-a', cluster: 'DefaultCluster', type, queues: 8 }],
      });
    },
  );

  it('knows no topic that nobody created', async () => {
    await expect(admin.describeTopic(unique('nobody'))).resolves.toBeUndefined();
  });

  it('alters type and queues of a topic, and keeps what is left out', async () => {
    const topic = unique('altered');
    await admin.createTopic({ topic, type: 'normal', queues: 3 });
    await admin.createTopic({ topic, type: 'fifo' });
    await expect(admin.describeTopic(topic)).resolves.toMatchObject({ type: 'fifo', queues: 3 });

    await admin.createTopic({ topic, type: 'fifo', queues: 5 });
    await expect(admin.describeTopic(topic)).resolves.toMatchObject({ type: 'fifo', queues: 5 });
  });

  it('creates a group with the defaults of the server', async () => {
    const consumerGroup = unique('plain');
    await admin.createGroup({ consumerGroup });

    const group = await admin.describeGroup(consumerGroup);

    expect(group).toMatchObject({ consumerGroup, fifo: false, maxDeliveryAttempts: 17 });
    expect(group?.backoff).toMatchObject({ kind: 'customized', nextMs: expect.arrayContaining([1000, 7_200_000]) });
    expect(group?.brokers.map((broker) => broker.name)).toEqual(['broker-a']);
  });

  it('creates an ordered group with attempts and an exponential backoff', async () => {
    const consumerGroup = unique('ordered');
    const backoff = { kind: 'exponential', initialMs: 10_000, maxMs: 60_000, multiplier: 3 } as const;
    await admin.createGroup({ consumerGroup, fifo: true, maxDeliveryAttempts: 4, backoff });

    await expect(admin.describeGroup(consumerGroup)).resolves.toMatchObject({
      fifo: true,
      maxDeliveryAttempts: 4,
      backoff,
    });
  });

  it('alters a group, and keeps what is left out', async () => {
    const consumerGroup = unique('altered');
    const backoff = { kind: 'customized', nextMs: [10_000, 20_000] } as const;
    await admin.createGroup({ consumerGroup, fifo: true, maxDeliveryAttempts: 5, backoff });
    await admin.createGroup({ consumerGroup, maxDeliveryAttempts: 1 });
    await expect(admin.describeGroup(consumerGroup)).resolves.toMatchObject({
      fifo: true,
      maxDeliveryAttempts: 1,
      backoff,
    });

    await admin.createGroup({ consumerGroup, fifo: false });
    await expect(admin.describeGroup(consumerGroup)).resolves.toMatchObject({ fifo: false, maxDeliveryAttempts: 1 });
  });

  it('does not create a group by asking for it', async () => {
    const consumerGroup = unique('asked');

    await expect(admin.describeGroup(consumerGroup)).resolves.toBeUndefined();
    await expect(admin.describeGroup(consumerGroup)).resolves.toBeUndefined();
  });

  it('describes a group among hundreds', async () => {
    const names = Array.from({ length: 300 }, (_, index) => unique(`many-${index}`));
    await Promise.all(names.map((consumerGroup) => admin.createGroup({ consumerGroup }, { timeoutMs: 20_000 })));

    const found = await Promise.all(names.map((name) => admin.describeGroup(name, { timeoutMs: 20_000 })));
    expect(found.filter((group) => group === undefined)).toEqual([]);
  });

  it('creates on the brokers of the named cluster only, and says when it has none', async () => {
    const elsewhere = new RocketMQAdmin({ nameServer, cluster: 'NoSuchCluster' });
    try {
      await expect(elsewhere.createTopic({ topic: unique('lost'), type: 'normal' })).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        outcome: 'not-sent',
        message: expect.stringContaining('NoSuchCluster'),
      });
    } finally {
      await elsewhere.close();
    }
  });

  it('goes on to the next name server when the first does not listen', async () => {
    const second = new RocketMQAdmin({ nameServer: `127.0.0.1:1;${nameServer}` });
    try {
      await expect(second.describeTopic(unique('nobody'))).resolves.toBeUndefined();
    } finally {
      await second.close();
    }
  });
});
