// Arguments of methods: a misspelled option is an error, not a wait of the default length, and what is of another type is named.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { EmbeddedBroker } from '../broker/embedded-broker.js';
import { PushConsumer } from '../consumer/push-consumer.js';
import { SimpleConsumer } from '../consumer/simple/simple-consumer.js';
import { Producer } from '../producer/producer.js';
import type { RocketMQError } from '../support/errors.js';
import { Connection } from './connection.js';

const broker = new EmbeddedBroker();
let connection: Connection;
beforeAll(async () => {
  await broker.start();
  connection = new Connection({ endpoints: broker.endpoints });
});
afterAll(async () => {
  await connection.close();
  await broker.stop();
});

const CONSUMER = { consumerGroup: 'shop', subscriptions: [{ topic: 'orders' }] };
const closing = {
  producer: () => new Producer(connection),
  'push consumer': () => new PushConsumer(connection, { ...CONSUMER, handler: async () => {} }),
};
const starting = { ...closing, 'simple consumer': () => new SimpleConsumer(connection, CONSUMER) };

describe.each(Object.entries(starting))('start() of a %s', (_, create) => {
  it('rejects unknown and invalid options, and can then be called again', async () => {
    const client = create();
    for (const options of [{ timeoutMS: 5 }, { timeoutMs: '5' }, { timeoutMs: 0 }, { waitForTopics: 1 }, 'soon']) {
      await expect(client.start(options as never)).rejects.toMatchObject({
        code: 'ILLEGAL_OPTION',
        outcome: 'not-sent',
      });
    }
    await client.start({ timeoutMs: 10_000, waitForTopics: false });
    await client.close();
  });
});

describe.each(Object.entries(closing))('close() of a %s', (_, create) => {
  it('rejects unknown and invalid options, and can then be called again', async () => {
    const client = create();
    await client.start();
    for (const options of [{ graceMs: 5 }, { shutdownGraceMs: -1 }, { shutdownGraceMs: '5' }]) {
      await expect(client.close(options as never)).rejects.toMatchObject({ code: 'ILLEGAL_OPTION' });
    }
    await client.close({ shutdownGraceMs: 0 });
  });
});

/** What no method takes as options. */
const WRONG_OPTIONS = [null, 5, 'soon', [], { timeout: 5 }, { signal: 5 }, { signal: {} }];

async function rejectionOf(call: () => unknown): Promise<string> {
  const error = (await Promise.resolve()
    .then(call)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    )) as RocketMQError | undefined;
  return error === undefined ? 'none' : `${error.code} ${error.outcome}`;
}

describe('a call', () => {
  const producer = () => new Producer(connection, { transactionCheckers: { payments: () => 'unknown' } });
  const message = { topic: 'orders', body: 'x' };
  const half = { topic: 'payments', body: 'x' };
  const target = { topic: 'orders', recallHandle: 'x' };
  const work = async (): Promise<void> => {};

  it.each<[string, (of: Producer, options: never) => unknown]>([
    ['send', (of, options) => of.send(message, options)],
    ['sendBatch', (of, options) => of.sendBatch([message], options)],
    ['sendOneway', (of, options) => of.sendOneway(message, options)],
    ['beginTransaction', (of, options) => of.beginTransaction(half, options)],
    ['transact', (of, options) => of.transact(options, work)],
    ['recall', (of, options) => of.recall(target, options)],
  ])('%s of a producer rejects what are no options of it', async (_, call) => {
    const of = producer();
    for (const options of WRONG_OPTIONS) {
      expect([options, await rejectionOf(() => call(of, options as never))]).toEqual([
        options,
        'ILLEGAL_OPTION not-sent',
      ]);
    }
    await of.close();
  });

  it('of a producer rejects arguments of another type', async () => {
    const of = producer();
    for (const one of [undefined, null, 5, {}]) {
      expect(await rejectionOf(() => of.recall(one as never))).toBe('ILLEGAL_OPTION not-sent');
      expect(await rejectionOf(() => of.transact({}, one as never))).toBe('ILLEGAL_OPTION not-sent');
    }
    await of.close();
  });

  it.each(Object.entries(starting).slice(1))('of a %s rejects what are no options of it', async (_, create) => {
    const client = create() as PushConsumer | SimpleConsumer;
    await client.start();
    const calls = [
      (options: never) => client.subscribe({ topic: 'orders' }, options),
      (options: never) => client.unsubscribe('orders', options),
      ...(client instanceof SimpleConsumer ? [(options: never) => client.receive(options)] : []),
    ];
    for (const options of WRONG_OPTIONS) {
      for (const call of calls) expect(await rejectionOf(() => call(options as never))).toBe('ILLEGAL_OPTION not-sent');
    }
    await client.close();
  });

  it.each(Object.entries(starting).slice(1))('of a %s rejects subscriptions of another type', async (_, create) => {
    const client = create() as PushConsumer | SimpleConsumer;
    await client.start();
    for (const one of [undefined, null, 5, {}, { topic: 5 }]) {
      expect(await rejectionOf(() => client.subscribe(one as never))).toBe('ILLEGAL_TOPIC not-sent');
    }
    for (const unknown of [{ filtre: { kind: 'tag', expression: 'paid' } }, { tag: 'paid' }, { tags: 'paid' }]) {
      const [field] = Object.keys(unknown);
      const call = client.subscribe({ topic: 'orders', ...unknown });
      await expect(call).rejects.toMatchObject({ code: 'ILLEGAL_OPTION', outcome: 'not-sent', field });
    }
    const filters = [null, 'paid', {}, { kind: 'tag' }, { kind: 'tags', expression: 'paid' }];
    for (const filter of [...filters, { kind: 'tag', expression: 'paid', tags: 'new' }]) {
      expect(await rejectionOf(() => client.subscribe({ topic: 'orders', filter: filter as never }))).toBe(
        'ILLEGAL_FILTER not-sent',
      );
    }
    await client.close();
  });

  it('that settles rejects what was not received, and what are no options of it', async () => {
    const client = starting['simple consumer']();
    await client.start();
    for (const one of [undefined, null, 5, {}]) {
      expect(await rejectionOf(() => client.ack(one as never))).toBe('FOREIGN_MESSAGE not-sent');
      expect(await rejectionOf(() => client.ackBatch(one as never))).toBe('ILLEGAL_OPTION not-sent');
      expect(await rejectionOf(() => client.forwardToDeadLetterQueue(one as never))).toBe('FOREIGN_MESSAGE not-sent');
    }
    for (const options of WRONG_OPTIONS) {
      expect(await rejectionOf(() => client.ack({} as never, options as never))).toBe('ILLEGAL_OPTION not-sent');
    }
    await client.close();
  });
});

describe('an administration client', () => {
  const definition = { topic: 'orders', type: 'normal' } as const;
  const query = { topic: 'orders', key: 'ORDER-7' };
  const place = { consumerGroup: 'shop', topic: 'orders', to: { kind: 'end' } } as const;
  const own = { broker: 'embedded', originTopic: 'orders', recallHandle: 'x', offsetMessageId: 'x' };

  it.each<[string, (admin: RocketMQAdmin, options: never) => unknown]>([
    ['createTopic', (admin, options) => admin.createTopic(definition, options)],
    ['describeTopic', (admin, options) => admin.describeTopic('orders', options)],
    ['topicLayout', (admin, options) => admin.topicLayout('orders', options)],
    ['setTopicLayout', (admin, options) => admin.setTopicLayout('orders', 'embedded:4', options)],
    ['removeTopicLayout', (admin, options) => admin.removeTopicLayout('orders', options)],
    ['topicOffsets', (admin, options) => admin.topicOffsets('orders', options)],
    ['listTopics', (admin, options) => admin.listTopics(options)],
    ['deleteTopic', (admin, options) => admin.deleteTopic('orders', options)],
    ['createGroup', (admin, options) => admin.createGroup({ consumerGroup: 'shop' }, options)],
    ['describeGroup', (admin, options) => admin.describeGroup('shop', options)],
    ['pauseGroup', (admin, options) => admin.pauseGroup('shop', { reason: 'why', by: 'me' }, options)],
    ['resumeGroup', (admin, options) => admin.resumeGroup('shop', options)],
    ['listGroups', (admin, options) => admin.listGroups(options)],
    ['groupsOfTopic', (admin, options) => admin.groupsOfTopic('orders', options)],
    ['deleteGroup', (admin, options) => admin.deleteGroup('shop', options)],
    ['groupLag', (admin, options) => admin.groupLag('shop', options)],
    ['groupClients', (admin, options) => admin.groupClients('shop', options)],
    ['describeClient', (admin, options) => admin.describeClient('shop', 'client-1', options)],
    ['rewindGroup', (admin, options) => admin.rewindGroup(place, options)],
    ['planRewind', (admin, options) => admin.planRewind(place, options)],
    ['browseMessages', (admin, options) => admin.browseMessages('orders', options)],
    ['listFailures', (admin, options) => admin.listFailures('failures', options)],
    ['lagHistory', (admin, options) => admin.lagHistory('operations', 'shop', options)],
    ['tailMessages', async (admin, options) => admin.tailMessages('orders', options)],
    ['givenUpHalfMessages', (admin, options) => admin.givenUpHalfMessages(options)],
    ['resumeHalfMessage', (admin, options) => admin.resumeHalfMessage(own, options)],
    ['delayedMessages', (admin, options) => admin.delayedMessages(options)],
    ['recallDelayed', (admin, options) => admin.recallDelayed(own, options)],
    ['findMessages', (admin, options) => admin.findMessages(query, options)],
    ['messageTrail', (admin, options) => admin.messageTrail({ topic: 'orders', messageId: 'x' }, options)],
    ['listDeadLetterQueues', (admin, options) => admin.listDeadLetterQueues(options)],
    ['listDeadLetters', (admin, options) => admin.listDeadLetters('shop', options)],
    ['planReplay', (admin, options) => admin.planReplay('shop', options)],
    ['planReplayOf', (admin, options) => admin.planReplayOf([], options)],
    ['exportDeadLetters', (admin, options) => admin.exportDeadLetters('shop', options)],
    ['replayDeadLetters', (admin, options) => admin.replayDeadLetters('shop', options)],
    ['brokers', (admin, options) => admin.brokers(options)],
    ['brokerVersions', (admin, options) => admin.brokerVersions(options)],
    ['brokerClocks', (admin, options) => admin.brokerClocks(options)],
  ])('rejects what are no options of %s', async (_, call) => {
    const admin = new RocketMQAdmin({ nameServer: '127.0.0.1:1' });
    for (const options of WRONG_OPTIONS) {
      expect([options, await rejectionOf(() => call(admin, options as never))]).toEqual([
        options,
        'ILLEGAL_OPTION not-sent',
      ]);
    }
    await admin.close();
  });
});

describe('a plan of dead letters that were listed', () => {
  it.each([undefined, 'x', [{}], [{ consumerGroup: 'shop', messageId: 'x', broker: 'a', queueId: 0 }]])(
    'rejects %j in their place',
    async (deadLetters) => {
      const admin = new RocketMQAdmin({ nameServer: '127.0.0.1:1' });
      await expect(admin.planReplayOf(deadLetters as never)).rejects.toMatchObject({
        code: 'ILLEGAL_OPTION',
        field: 'deadLetters',
      });
      await admin.close();
    },
  );
});

describe('an administration client that is given an unknown field', () => {
  const group = { consumerGroup: 'shop' };
  const place = { ...group, topic: 'orders' };
  const offset = { kind: 'offset', broker: 'embedded', queueId: 0, offset: 0 } as const;
  const backoff = { kind: 'customized', nextMs: [1_000] } as const;
  const half = { broker: 'embedded', originTopic: 'orders', offsetMessageId: 'x' };
  const delayed = { broker: 'embedded', originTopic: 'orders', recallHandle: 'x' };
  const typo = (given: object): never => ({ ...given, limt: 1 }) as never;

  it.each<[string, (admin: RocketMQAdmin) => unknown, string]>([
    ['createTopic', (admin) => admin.createTopic(typo({ topic: 'orders', type: 'normal' })), 'limt'],
    ['createGroup', (admin) => admin.createGroup(typo(group)), 'limt'],
    ['createGroup with a backoff', (admin) => admin.createGroup({ ...group, backoff: typo(backoff) }), 'backoff.limt'],
    [
      'createGroup with lite topics',
      (admin) => admin.createGroup({ ...group, lite: typo({ topic: 'a' }) }),
      'lite.limt',
    ],
    ['rewindGroup', (admin) => admin.rewindGroup(typo({ ...place, to: { kind: 'end' } })), 'limt'],
    ['rewindGroup to the end', (admin) => admin.rewindGroup({ ...place, to: typo({ kind: 'end' }) }), 'to.limt'],
    ['rewindGroup to an offset', (admin) => admin.rewindGroup({ ...place, to: typo(offset) }), 'to.limt'],
    ['planRewind', (admin) => admin.planRewind(typo({ ...place, to: offset })), 'limt'],
    ['planRewind to a time', (admin) => admin.planRewind({ ...place, to: typo({ kind: 'time' }) }), 'to.limt'],
    ['findMessages by key', (admin) => admin.findMessages(typo({ topic: 'orders', key: 'a' })), 'limt'],
    ['findMessages by id', (admin) => admin.findMessages(typo({ topic: 'orders', messageId: 'x' })), 'limt'],
    ['messageTrail', (admin) => admin.messageTrail(typo({ topic: 'orders', messageId: 'x' })), 'limt'],
    ['resumeHalfMessage', (admin) => admin.resumeHalfMessage(typo(half)), 'limt'],
    ['recallDelayed', (admin) => admin.recallDelayed(typo(delayed)), 'limt'],
  ])('rejects it before anything is sent: %s', async (_, call, field) => {
    const admin = new RocketMQAdmin({ nameServer: '127.0.0.1:1' });
    await expect(Promise.resolve().then(() => call(admin))).rejects.toMatchObject({
      code: 'ILLEGAL_OPTION',
      outcome: 'not-sent',
      field,
    });
    await admin.close();
  });

  it.each<[string, object, string]>([
    ['a backoff of no kind', { backoff: {} }, 'backoff.kind'],
    ['a backoff that is none', { backoff: null }, 'backoff'],
    ['lite topics that are none', { lite: 'orders' }, 'lite'],
    ['a string in place of a flag', { fifo: 'yes' }, 'fifo'],
    ["the broker's name of a setting", { retryMaxTimes: -1 }, 'retryMaxTimes'],
  ])('rejects a group with %s', async (_, wrong, field) => {
    const admin = new RocketMQAdmin({ nameServer: '127.0.0.1:1' });
    const call = admin.createGroup({ ...group, ...wrong } as never);
    await expect(call).rejects.toMatchObject({ code: 'ILLEGAL_OPTION', outcome: 'not-sent', field });
    await admin.close();
  });
});

describe('an administration client that is given nothing', () => {
  it.each<[string, (admin: RocketMQAdmin, given: never) => unknown, string]>([
    ['createTopic', (admin, given) => admin.createTopic(given), 'ILLEGAL_TOPIC'],
    ['createGroup', (admin, given) => admin.createGroup(given), 'ILLEGAL_CONSUMER_GROUP'],
    ['describeTopic', (admin, given) => admin.describeTopic(given), 'ILLEGAL_NAME'],
    ['rewindGroup', (admin, given) => admin.rewindGroup(given), 'ILLEGAL_NAME'],
    ['resumeHalfMessage', (admin, given) => admin.resumeHalfMessage(given), 'ILLEGAL_OPTION'],
    ['recallDelayed', (admin, given) => admin.recallDelayed(given), 'ILLEGAL_OPTION'],
    ['findMessages', (admin, given) => admin.findMessages(given), 'ILLEGAL_NAME'],
    ['messageTrail', (admin, given) => admin.messageTrail(given), 'ILLEGAL_NAME'],
  ])('rejects it: %s', async (_, call, code) => {
    const admin = new RocketMQAdmin({ nameServer: '127.0.0.1:1' });
    for (const given of [undefined, null, 5, {}]) {
      expect([given, await rejectionOf(() => call(admin, given as never))]).toEqual([given, `${code} not-sent`]);
    }
    await admin.close();
  });
});

describe('a consumer', () => {
  it.each<[string, object, string]>([
    ['without a group', { subscriptions: [{ topic: 'orders' }] }, 'ILLEGAL_CONSUMER_GROUP not-sent'],
    ['without subscriptions', { consumerGroup: 'shop' }, 'NO_SUBSCRIPTION not-sent'],
    ['of a topic that is no string', { ...CONSUMER, subscriptions: [{ topic: 5 }] }, 'ILLEGAL_TOPIC not-sent'],
    [
      'with a filter that is a string',
      { ...CONSUMER, subscriptions: [{ topic: 'orders', filter: 'paid' }] },
      'ILLEGAL_FILTER not-sent',
    ],
    [
      'with a misspelled filter',
      { ...CONSUMER, subscriptions: [{ topic: 'orders', filtre: { kind: 'tag', expression: 'paid' } }] },
      'ILLEGAL_OPTION not-sent',
    ],
    ['with a tag', { ...CONSUMER, subscriptions: [{ topic: 'orders', tag: 'paid' }] }, 'ILLEGAL_OPTION not-sent'],
  ])('%s is rejected with the name of the option', async (_, options, rejection) => {
    const push = { ...options, handler: async () => {} };
    expect(await rejectionOf(() => new PushConsumer(connection, push as never))).toBe(rejection);
    expect(await rejectionOf(() => new SimpleConsumer(connection, options as never))).toBe(rejection);
  });
});
