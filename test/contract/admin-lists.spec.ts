import { describe, expect } from '@jest/globals';
import { resource } from '../../tools/wire/raw-grpc-client.js';
import { isBefore } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { buried } from './support/dead-letters.js';
import type { World } from './support/world.js';

const contract = contractSuite();

const namesOf = async (world: World, includeSystem = false): Promise<string[]> => {
  const { topics, failures } = await world.admin().listTopics({ includeSystem });
  expect(failures).toEqual([]);
  return topics.map(({ topic }) => topic);
};

describe('listed topics', () => {
  contract('show type and queues, sorted by name, without system topics', async (world) => {
    const admin = world.admin();
    const [second, first] = [`b-${world.name()}`, `a-${world.name()}`];
    await admin.createTopic({ topic: second, type: 'normal', queues: 3 });
    await admin.createTopic({ topic: first, type: 'fifo', queues: 2 });
    const { topics, failures } = await admin.listTopics();
    expect(failures).toEqual([]);
    expect(topics.filter(({ topic }) => topic === first || topic === second)).toMatchObject([
      { topic: first, type: 'fifo', queues: 2, kind: 'user', brokers: [{ queues: 2 }] },
      { topic: second, type: 'normal', queues: 3, kind: 'user', brokers: [{ queues: 3 }] },
    ]);
    expect(topics.filter(({ topic, kind }) => kind !== 'user' || /^(%|rmq_sys_|RMQ_SYS_|TBW102)/.test(topic))).toEqual(
      [],
    );
  });

  contract('include dead letter queues on request', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group({ maxDeliveryAttempts: 1 });
    await buried(world, consumerGroup, [{ topic, body: 'poison' }]);
    const { topics } = await world.admin().listTopics({ includeSystem: true });
    const kinds = new Map(topics.map((one) => [one.topic, one.kind]));
    expect(kinds.get(topic)).toBe('user');
    expect(kinds.get(`%DLQ%${consumerGroup}`)).toBe('dead-letter');
  });
});

describe('deleted topics', () => {
  contract('are gone from brokers, routes and lists', async (world) => {
    const admin = world.admin();
    const topic = await world.topic();
    const deleted = await admin.deleteTopic(topic);
    expect(deleted).toMatchObject({ topic, deletedOn: [expect.any(String)] });
    await expect(admin.describeTopic(topic)).resolves.toBeUndefined();
    expect(await namesOf(world)).not.toContain(topic);
    await world.until('routes do not show it', async () => {
      const route = { topic: resource(topic), endpoints: undefined };
      const { status } = await world.rawClient(world.name()).call('queryRoute', route);
      return status?.code === 40402;
    });
  });

  contract('can be deleted again, which then says that there was nothing', async (world) => {
    const admin = world.admin();
    const topic = await world.topic();
    await admin.deleteTopic(topic);
    await expect(admin.deleteTopic(topic)).resolves.toEqual({ topic, deletedOn: [] });
    await expect(admin.deleteTopic(world.name())).resolves.toMatchObject({ deletedOn: [] });
  });

  contract('come back empty, and groups begin anew with them', async (world) => {
    const admin = world.admin();
    const topic = await world.topic();
    const consumerGroup = await world.group();
    const producer = await world.producer();
    for (const body of ['old 1', 'old 2', 'old 3']) await producer.send({ topic, body });
    const before = await world.record({ topic, consumerGroup });
    await world.until('all three came', () => before.deliveries.length === 3);
    await before.consumer.close();
    await admin.deleteTopic(topic);
    await admin.createTopic({ topic, type: 'normal', queues: 1 });
    const after = await world.record({ topic, consumerGroup });
    await (await world.producer()).send({ topic, body: 'new' });
    await world.until('the new one came', () => after.deliveries.length > 0);
    expect(after.deliveries.map(({ text }) => text)).toEqual(['new']);
  });

  contract('are not those of the server', async (world) => {
    await expect(world.admin().deleteTopic('TBW102')).rejects.toMatchObject({
      code: 'ILLEGAL_NAME',
      outcome: 'not-sent',
    });
  });
});

describe('listed groups', () => {
  contract('show order and attempts, sorted by name, without system groups', async (world) => {
    const admin = world.admin();
    const [second, first] = [`b-${world.name()}`, `a-${world.name()}`];
    await admin.createGroup({ consumerGroup: second, maxDeliveryAttempts: 3 });
    await admin.createGroup({ consumerGroup: first, fifo: true });
    const { groups, failures } = await admin.listGroups();
    expect(failures).toEqual([]);
    const own = groups.filter(({ consumerGroup }) => consumerGroup === first || consumerGroup === second);
    expect(own).toMatchObject([
      { consumerGroup: first, fifo: true, maxDeliveryAttempts: 17, brokers: [{}] },
      { consumerGroup: second, fifo: false, maxDeliveryAttempts: 3, brokers: [{}] },
    ]);
    expect(groups.map(({ consumerGroup }) => consumerGroup)).not.toContain('TOOLS_CONSUMER');
    const all = await admin.listGroups({ includeSystem: true });
    expect(all.groups.map(({ consumerGroup }) => consumerGroup)).toContain('TOOLS_CONSUMER');
  });
});

describe('deleted groups', () => {
  contract('are gone, and can be deleted again, which then says that there was nothing', async (world) => {
    const admin = world.admin();
    const consumerGroup = await world.group();
    await expect(admin.deleteGroup(consumerGroup)).resolves.toMatchObject({ deletedOn: [expect.any(String)] });
    await expect(admin.describeGroup(consumerGroup)).resolves.toBeUndefined();
    const nothing = { consumerGroup, deletedOn: [], deletedTopics: [] };
    await expect(admin.deleteGroup(consumerGroup)).resolves.toEqual(nothing);
  });

  contract('leave their dead letters behind, unless these are to go, too', async (world) => {
    const admin = world.admin();
    const topic = await world.topic();
    const consumerGroup = await world.group({ maxDeliveryAttempts: 1 });
    await buried(world, consumerGroup, [{ topic, body: 'poison' }]);
    const deadLetters = `%DLQ%${consumerGroup}`;
    await admin.deleteGroup(consumerGroup);
    expect(await namesOf(world, true)).toContain(deadLetters);
    const { deletedTopics } = await admin.deleteGroup(consumerGroup, { withDeadLetters: true });
    expect(deletedTopics).toEqual([deadLetters]);
    expect(await namesOf(world, true)).not.toContain(deadLetters);
  });

  contract('begin anew when they are created again', async (world) => {
    const admin = world.admin();
    const topic = await world.topic();
    const consumerGroup = await world.group();
    await (await world.producer()).send({ topic, body: 'x' });
    const before = await world.record({ topic, consumerGroup });
    await world.until('it came', () => before.deliveries.length === 1);
    await before.consumer.close();
    await admin.deleteGroup(consumerGroup);
    expect((await admin.groupLag(consumerGroup)).topics).toEqual([]);
    await admin.createGroup({ consumerGroup });
    const after = await world.record({ topic, consumerGroup });
    await world.until('it was redelivered', () => after.deliveries.length === 1);
  });
});

describe('the versions of brokers', () => {
  contract('are returned as numbers, with the differences between them', async (world) => {
    const versions = await world.admin().brokerVersions();
    const [broker] = versions.brokers;
    const isOld = isBefore('5.4.0');
    const major = isBefore('5.0.0') ? 4 : 5;
    expect(broker?.version).toMatchObject({ major, minor: expect.any(Number), patch: expect.any(Number) });
    expect(broker?.keepsBatches).toBe(!isOld);
    expect(versions).toMatchObject({ keepBatches: !isOld, failures: [] });
  });
});
