// Access control: keys, permissions, and keys that change while messages flow.

import { describe, expect } from '@jest/globals';
import type { BrokerPermission } from 'nestjs-rocketmq/broker';
import { type Credentials, type Resolution, SECOND_MS } from 'nestjs-rocketmq/client';
import { CHECK_INTERVAL_MS, FIRST_CHECK_MS, SERVER_SLACK_MS } from '../contract/support/backend.js';
import { contractSuite } from '../contract/support/contract.js';
import { texts, type World } from '../contract/support/world.js';
import { testTransport } from '../fixtures/transport.js';
import { hasPlainAcl, type SecuredBackend, startSecured } from './support/secured-backend.js';

const contract = contractSuite(startSecured);

const secured = (world: World): SecuredBackend => world.backend as SecuredBackend;

/** A user for one case. */
async function user(world: World, ...permissions: BrokerPermission[]): Promise<Credentials> {
  const credentials = { accessKey: world.name(), secretKey: 'its secret' };
  await secured(world).declareUser({ ...credentials, permissions });
  return credentials;
}

/** A topic, a group, and a user with permission to send to the topic and receive for the group. */
async function setUp(world: World, type: Parameters<World['topic']>[0] = 'normal') {
  const topic = await world.topic(type);
  const group = await world.group();
  const permissions: BrokerPermission[] = [
    { resource: `Topic:${topic}`, actions: ['Pub', 'Sub'] },
    // Without a proxy, a consumer itself reads the settings of its group: that is Get, which only All has here.
    { resource: `Group:${group}`, actions: [testTransport === 'remoting' ? 'All' : 'Sub'] },
  ];
  const credentials = await user(world, ...permissions);
  return { topic, group, permissions, credentials, connection: world.connection({ credentials }) };
}

const REJECTED = { code: 'UNAUTHORIZED', outcome: 'rejected', retryable: false };

describe('a user with the permissions it needs', () => {
  contract('sends, and receives and acknowledges', async (world) => {
    const { topic, group, connection } = await setUp(world);
    const producer = await world.producer({ topics: { [topic]: 'normal' } }, connection);
    const consumer = await world.simpleConsumer(topic, group, connection);
    await producer.send({ topic, body: 'one' });
    const [received] = await consumer.receive({ maxMessages: 1, invisibleDurationMs: 30 * SECOND_MS });
    if (received === undefined) throw new Error('nothing was received');
    await consumer.ack(received);
    expect(received.body.toString()).toBe('one');
  });

  contract('has its delayed messages delivered, and can recall them', async (world) => {
    const { topic, group, connection } = await setUp(world, 'delay');
    const producer = await world.producer({ topics: { [topic]: 'delay' } }, connection);
    const recorder = await world.record({ topic, consumerGroup: group }, connection);
    const recalled = await producer.send({ topic, body: 'recalled', delayMs: 4 * SECOND_MS });
    await producer.send({ topic, body: 'delayed', delayMs: 5 * SECOND_MS });
    await producer.recall({ topic, recallHandle: recalled.recallHandle ?? '' });
    await world.backend.advance(5 * SECOND_MS);
    await world.until('it is delivered', () => recorder.deliveries.length > 0);
    expect(texts(recorder.deliveries)).toEqual(['delayed']);
  });

  contract('ends its transactions, and answers checks', async (world) => {
    const { topic, group, connection } = await setUp(world, 'transaction');
    const answer: Resolution | 'unknown' = 'commit';
    const producer = await world.producer({ transactionCheckers: { [topic]: () => answer } }, connection);
    const recorder = await world.record({ topic, consumerGroup: group }, connection);
    await producer.transact({ message: { topic, body: 'committed' } }, async () => {});
    const failed = producer.transact({ message: { topic, body: 'checked' } }, async () => {
      throw new Error('not reported in time');
    });
    await expect(failed).rejects.toThrow('not reported in time');
    await world.backend.advance(FIRST_CHECK_MS + CHECK_INTERVAL_MS + SERVER_SLACK_MS);
    await world.until('both are delivered', () => recorder.deliveries.length === 2);
    expect(texts(recorder.deliveries).sort()).toEqual(['checked', 'committed']);
  });
});

describe('a rejected caller gets the reason:', () => {
  contract('a wrong secret key', async (world) => {
    const { topic, credentials } = await setUp(world);
    const connection = world.connection({ credentials: { ...credentials, secretKey: 'not its secret' } });
    const starting = world.producer({ topics: { [topic]: 'normal' } }, connection);
    await expect(starting).rejects.toMatchObject(REJECTED);
    await expect(starting).rejects.toThrow('check credentials.secretKey');
    await expect(starting).rejects.not.toThrow('not its secret');
  });

  contract('an access key that nobody has', async (world) => {
    const topic = await world.topic();
    const connection = world.connection({ credentials: { accessKey: 'nobody', secretKey: 'secret' } });
    const starting = world.producer({ topics: { [topic]: 'normal' } }, connection);
    await expect(starting).rejects.toMatchObject(REJECTED);
    await expect(starting).rejects.toThrow('does not know the access key "nobody"');
  });

  contract('no credentials', async (world) => {
    const topic = await world.topic();
    const starting = world.producer({ topics: { [topic]: 'normal' } }, world.connection({ credentials: undefined }));
    await expect(starting).rejects.toMatchObject(REJECTED);
    await expect(starting).rejects.toThrow('set the option credentials');
  });

  contract('a user that may receive from a topic and not send to it', async (world) => {
    const topic = await world.topic();
    const credentials = await user(world, { resource: `Topic:${topic}`, actions: ['Sub'] });
    const producer = await world.producer({}, world.connection({ credentials }));
    const sending = producer.send({ topic, body: 'x' });
    await expect(sending).rejects.toMatchObject(REJECTED);
    // ACL 1.0 does not name the user.
    const whom = hasPlainAcl ? 'it' : `"${credentials.accessKey}"`;
    await expect(sending).rejects.toThrow(
      `grant ${whom} the action PUB (to send) or SUB (to receive) on topic "${topic}"`,
    );
  });

  contract('a user that may send to a topic and not receive from it', async (world) => {
    const topic = await world.topic();
    const group = await world.group();
    const credentials = await user(
      world,
      { resource: `Topic:${topic}`, actions: ['Pub'] },
      { resource: `Group:${group}`, actions: ['All'] },
    );
    const receive = async (): Promise<unknown> => {
      const consumer = await world.simpleConsumer(topic, group, world.connection({ credentials }));
      return consumer.receive({ maxMessages: 1 });
    };
    const receiving = receive();
    await expect(receiving).rejects.toMatchObject(REJECTED);
    await expect(receiving).rejects.toThrow(`or SUB (to receive) on topic "${topic}"`);
  });

  contract('a producer that lists a topic it may not send to', async (world) => {
    const topic = await world.topic('transaction');
    const credentials = await user(world, { resource: `Topic:${topic}`, actions: ['Sub'] });
    const transactionCheckers = { [topic]: () => 'unknown' as const };
    const starting = world.producer({ transactionCheckers }, world.connection({ credentials }));
    await expect(starting).rejects.toMatchObject(REJECTED);
    await expect(starting).rejects.toThrow(`the action PUB (to send) or SUB (to receive) on topic "${topic}"`);
  });

  contract('a user without the consumer group', async (world) => {
    const topic = await world.topic();
    const group = await world.group();
    const credentials = await user(world, { resource: `Topic:${topic}`, actions: ['All'] });
    const starting = world.record({ topic, consumerGroup: group }, world.connection({ credentials }));
    await expect(starting).rejects.toMatchObject(REJECTED);
    await expect(starting).rejects.toThrow(`the action SUB on consumer group "${group}"`);
  });

  contract('a user to whom all is allowed but one topic', async (world) => {
    const topic = await world.topic();
    const credentials = await user(
      world,
      { resource: '*', actions: ['All'] },
      { resource: `Topic:${topic}`, actions: ['Pub'], decision: 'deny' },
    );
    const producer = await world.producer({}, world.connection({ credentials }));
    await expect(producer.send({ topic, body: 'x' })).rejects.toMatchObject(REJECTED);
    await expect(producer.send({ topic: await world.topic(), body: 'x' })).resolves.toBeDefined();
  });

  contract('an administrator with a wrong key, and a user who is none', async (world) => {
    const { credentials } = await setUp(world);
    const { administrator } = secured(world);
    const create = (of: Credentials) =>
      world.admin({ credentials: of }).createTopic({ topic: world.name(), type: 'normal', queues: 1 });
    const rejected = { code: 'NO_PERMISSION', outcome: 'rejected', retryable: false };
    const wrongKey = create({ ...administrator, secretKey: 'another' });
    await expect(wrongKey).rejects.toMatchObject(rejected);
    await expect(wrongKey).rejects.toThrow('check credentials.secretKey');
    const nobody = create(credentials);
    await expect(nobody).rejects.toMatchObject(rejected);
    await expect(nobody).rejects.toThrow('a permission is missing');
    await create(administrator);
  });
});

describe('a key that changes while messages flow', () => {
  /** Like {@link setUp}, for a user whose credentials change. */
  async function flow(world: World, credentials: () => Credentials) {
    const { topic, group, permissions } = await setUp(world);
    const connection = world.connection({ credentials });
    return { topic, group, permissions, connection };
  }

  contract('on the server first: the provider is asked, and nothing fails', async (world) => {
    let now: Credentials = { accessKey: world.name(), secretKey: 'first secret' };
    const { topic, group, permissions, connection } = await flow(world, () => now);
    const { declareUser } = secured(world);
    await declareUser({ ...now, permissions });
    const recorder = await world.record({ topic, consumerGroup: group }, connection);
    const producer = await world.producer({ topics: { [topic]: 'normal' } }, connection);
    for (let number = 0; number < 5; number++) await producer.send({ topic, body: `before ${number}` });
    now = { ...now, secretKey: 'second secret' };
    await declareUser({ ...now, permissions });
    for (let number = 0; number < 5; number++) await producer.send({ topic, body: `after ${number}` });
    await world.until('all are delivered', () => new Set(texts(recorder.deliveries)).size === 10);
  });

  contract('at the client first: telemetry goes on under the new one, and the old one can go', async (world) => {
    const first = { accessKey: world.name(), secretKey: 'first secret' };
    const second = { accessKey: world.name(), secretKey: 'second secret' };
    let now: Credentials = first;
    const { topic, group, permissions } = await flow(world, () => now);
    const { declareUser, removeUser } = secured(world);
    await declareUser({ ...first, permissions });
    await declareUser({ ...second, permissions });
    const connection = world.connection({ credentials: () => now, credentialsRefreshMs: 1 });
    const recorder = await world.record({ topic, consumerGroup: group }, connection);
    const producer = await world.producer({ topics: { [topic]: 'normal' } }, connection);
    now = second;
    // The first of these may still be signed with the first key; its rejection loads the second.
    await producer.send({ topic, body: 'under either' });
    await world.until('the second is in use', () => connection.credentials.current(0)?.accessKey === second.accessKey);
    await removeUser(first.accessKey);
    await producer.send({ topic, body: 'under the second' });
    // The settings are checked again with the metadata of the stream.
    await recorder.consumer.subscribe({ topic, filter: { kind: 'tag', expression: '*' } });
    await world.until('both are delivered', () => new Set(texts(recorder.deliveries)).size === 2);
  });
});
