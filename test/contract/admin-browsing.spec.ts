import { describe, expect } from '@jest/globals';
import {
  type BrowseOptions,
  type FailureRecord,
  failuresByError,
  type MessagePage,
  type StoredMessageView,
  type TailedMessages,
} from 'nestjs-rocketmq/admin';
import { contractSuite } from './support/contract.js';
import { texts, type World } from './support/world.js';

const contract = contractSuite();

const bodiesOf = (messages: readonly StoredMessageView[]): string[] => messages.map(({ body }) => body.toString());

/** A topic with these messages, each stored some time after the one before; and the times between them. */
async function stored(
  world: World,
  bodies: readonly string[],
  { queues = 4, tag }: { queues?: number; tag?: string } = {},
) {
  const topic = world.name();
  const admin = world.admin();
  await admin.createTopic({ topic, type: 'normal', queues });
  const producer = await world.producer();
  const times: Date[] = [];
  for (const body of bodies) {
    times.push(new Date(world.nowMs()));
    await world.backend.advance(100);
    await producer.send({ topic, body, tag: tag ?? body });
    await world.backend.advance(100);
  }
  await world.until('all can be read', async () => (await admin.topicOffsets(topic)).total === bodies.length);
  return { topic, admin, producer, times };
}

/** All pages, one array of bodies each. */
async function pages(world: World, topic: string, options: BrowseOptions): Promise<string[][]> {
  const all: string[][] = [];
  let after: string | undefined;
  do {
    const page: MessagePage = await world.admin().browseMessages(topic, { ...options, after });
    all.push(bodiesOf(page.messages));
    after = page.next;
  } while (after !== undefined);
  return all;
}

describe('the messages of a topic', () => {
  const BODIES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

  contract('come the newest of all queues first, page by page, whatever arrives meanwhile', async (world) => {
    const { topic, admin, producer } = await stored(world, BODIES);
    const first = await admin.browseMessages(topic, { order: 'newest-first', limit: 3 });
    expect(first).toMatchObject({ total: 7, failures: [] });
    await producer.send({ topic, body: 'late' });
    await world.until('it can be read', async () => (await admin.topicOffsets(topic)).total === 8);
    const second = await admin.browseMessages(topic, { order: 'newest-first', limit: 3, after: first.next });
    const third = await admin.browseMessages(topic, { order: 'newest-first', limit: 3, after: second.next });
    expect([first, second, third].map(({ messages }) => bodiesOf(messages))).toEqual([
      ['g', 'f', 'e'],
      ['d', 'c', 'b'],
      ['a'],
    ]);
    expect(third.next).toBeUndefined();
    expect(await pages(world, topic, { order: 'newest-first' })).toEqual([['late', ...[...BODIES].reverse()]]);
  });

  contract('come the newest first from one queue with more of them than a request returns', async (world) => {
    const { topic, admin, producer } = await stored(world, [], { queues: 1 });
    const bodies = Array.from({ length: 90 }, (_, index) => `${index}`);
    for (const body of bodies) await producer.send({ topic, body });
    await world.until('all can be read', async () => (await admin.topicOffsets(topic)).total === 90);
    expect((await pages(world, topic, { order: 'newest-first', limit: 40 })).flat()).toEqual([...bodies].reverse());
  });

  contract('can be limited to a time, to a queue and by a filter', async (world) => {
    const { topic, admin, times } = await stored(world, BODIES);
    const order = 'newest-first';
    const [, , c, , e] = times;
    expect((await pages(world, topic, { order, from: c })).flat()).toEqual(['g', 'f', 'e', 'd', 'c']);
    expect((await pages(world, topic, { order, to: e })).flat()).toEqual(['d', 'c', 'b', 'a']);
    expect((await pages(world, topic, { order, from: c, to: e, limit: 1 })).flat()).toEqual(['d', 'c']);
    expect((await pages(world, topic, { from: c, to: e })).flat().sort()).toEqual(['c', 'd']);
    expect(await admin.browseMessages(topic, { from: c, to: e })).toMatchObject({ total: 2 });
    expect((await pages(world, topic, { from: new Date(world.nowMs() + 60_000) })).flat()).toEqual([]);
    const filter = ({ tag = '' }: StoredMessageView): boolean => 'bdf'.includes(tag);
    expect((await pages(world, topic, { order, filter, limit: 1 })).flat()).toEqual(['f', 'd', 'b']);
    expect((await pages(world, topic, { filter })).flat().sort()).toEqual(['b', 'd', 'f']);
    const { messages } = await admin.browseMessages(topic);
    const queue = messages.find(({ tag }) => tag === 'd');
    const { broker = '', queueId = 0 } = queue ?? {};
    const there = bodiesOf(messages.filter((one) => one.queueId === queueId));
    expect((await pages(world, topic, { queue: { broker, queueId }, limit: 1 })).flat()).toEqual(there);
    expect((await pages(world, topic, { order, queue: { broker, queueId } })).flat()).toEqual(there.reverse());
  });

  contract('are not read with options that make no sense', async (world) => {
    const { topic, admin } = await stored(world, ['a', 'b'], { queues: 1 });
    const { next } = await admin.browseMessages(topic, { order: 'newest-first', limit: 1 });
    const broker = (await admin.describeTopic(topic))?.brokers[0]?.name ?? '';
    for (const [options, code] of [
      [{ after: next }, 'ILLEGAL_POSITION'],
      [{ order: 'newest-first', after: `${broker}/0/1` }, 'ILLEGAL_POSITION'],
      [{ order: 'sideways' }, 'ILLEGAL_ORDER'],
      [{ from: new Date('no date') }, 'ILLEGAL_TIME'],
      [{ to: new Date(-1) }, 'ILLEGAL_TIME'],
      [{ queue: { broker, queueId: 9 } }, 'UNKNOWN_QUEUE'],
      [{ queue: { broker: 'another', queueId: 0 } }, 'UNKNOWN_QUEUE'],
    ] as const)
      await expect(admin.browseMessages(topic, options as BrowseOptions)).rejects.toMatchObject({ code });
  });
});

describe('a topic that is followed', () => {
  /** Collects batches until the messages are these. */
  async function untilFollowed(batches: AsyncIterator<TailedMessages>, count: number): Promise<string[]> {
    const bodies: string[] = [];
    while (bodies.length < count) {
      const { value } = await batches.next();
      bodies.push(...bodiesOf(value.messages));
    }
    return bodies;
  }

  contract('shows what is stored from then on, and consumes none', async (world) => {
    const { topic, admin, producer } = await stored(world, ['before']);
    const batches = admin.tailMessages(topic)[Symbol.asyncIterator]();
    expect(await batches.next()).toMatchObject({ value: { messages: [], skipped: 0, failures: [] } });
    for (const body of ['a', 'b', 'c']) await producer.send({ topic, body });
    expect((await untilFollowed(batches, 3)).sort()).toEqual(['a', 'b', 'c']);
    await producer.send({ topic, body: 'd' });
    expect(await untilFollowed(batches, 1)).toEqual(['d']);
    await batches.return?.();
    const recorder = await world.record({ topic });
    await world.until('a consumer gets them all', () => recorder.deliveries.length === 5);
    expect(texts(recorder.deliveries).sort()).toEqual(['a', 'b', 'before', 'c', 'd']);
  });

  contract('begins at a time, and shows only what passes the filter', async (world) => {
    const { topic, admin, times } = await stored(world, ['a', 'b', 'c', 'd']);
    const followed = async (options: object, count: number): Promise<string[]> => {
      const batches = admin.tailMessages(topic, options)[Symbol.asyncIterator]();
      const bodies = await untilFollowed(batches, count);
      await batches.return?.();
      return bodies;
    };
    expect(await followed({ from: times[1] }, 3)).toEqual(['b', 'c', 'd']);
    const filter = ({ tag }: StoredMessageView): boolean => tag !== 'c';
    expect(await followed({ from: times[1], filter }, 2)).toEqual(['b', 'd']);
  });

  contract('shows every message of a long queue, or the newest and how many were left out', async (world) => {
    const { topic, admin, producer, times } = await stored(world, ['first'], { queues: 1 });
    const bodies = Array.from({ length: 250 }, (_, index) => `${index}`);
    for (const body of bodies) await producer.send({ topic, body });
    await world.until('all can be read', async () => (await admin.topicOffsets(topic)).total === 251);
    const [from] = times;
    const all = admin.tailMessages(topic, { from })[Symbol.asyncIterator]();
    expect(await untilFollowed(all, 251)).toEqual(['first', ...bodies]);
    await all.return?.();
    const some = admin.tailMessages(topic, { from, maxMessages: 20 })[Symbol.asyncIterator]();
    const { value } = await some.next();
    expect(bodiesOf(value.messages)).toEqual(bodies.slice(-20));
    expect(value.skipped).toBe(231);
    await some.return?.();
  });

  contract('goes on where another iteration ended, without gaps and repetitions', async (world) => {
    const { topic, admin, producer } = await stored(world, ['before']);
    const first = admin.tailMessages(topic)[Symbol.asyncIterator]();
    const { value: begun } = await first.next();
    await first.return?.();
    for (const body of ['a', 'b']) await producer.send({ topic, body });
    const second = admin.tailMessages(topic, { after: begun.next })[Symbol.asyncIterator]();
    const bodies: string[] = [];
    let after = '';
    while (bodies.length < 2) {
      const { value } = await second.next();
      bodies.push(...bodiesOf(value.messages));
      after = value.next;
    }
    expect(bodies.sort()).toEqual(['a', 'b']);
    await second.return?.();
    await producer.send({ topic, body: 'c' });
    const third = admin.tailMessages(topic, { after })[Symbol.asyncIterator]();
    expect(await untilFollowed(third, 1)).toEqual(['c']);
    await third.return?.();
    expect(() => admin.tailMessages(topic, { after: 'newest:a/0/1' })).toThrow(
      expect.objectContaining({ code: 'ILLEGAL_POSITION', field: 'after' }),
    );
  });

  contract('has what is in queues that were added after another iteration', async (world) => {
    const { topic, admin } = await stored(world, [], { queues: 1 });
    const first = admin.tailMessages(topic)[Symbol.asyncIterator]();
    const { value } = await first.next();
    await first.return?.();
    await admin.deleteTopic(topic);
    await admin.createTopic({ topic, type: 'normal', queues: 4 });
    const producer = await world.producer();
    const bodies = Array.from({ length: 8 }, (_, index) => `${index}`);
    for (const body of bodies) await producer.send({ topic, body });
    const second = admin.tailMessages(topic, { after: value.next })[Symbol.asyncIterator]();
    expect((await untilFollowed(second, 8)).sort()).toEqual(bodies);
    await second.return?.();
  });

  contract('must exist, and ends when its signal aborts', async (world) => {
    const { topic, admin } = await stored(world, []);
    const nowhere = admin.tailMessages(world.name())[Symbol.asyncIterator]();
    await expect(nowhere.next()).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
    expect(() => admin.tailMessages(topic, { maxMessages: 0 })).toThrow(
      expect.objectContaining({ code: 'ILLEGAL_LIMIT' }),
    );
    const controller = new AbortController();
    const batches = admin.tailMessages(topic, { signal: controller.signal })[Symbol.asyncIterator]();
    await batches.next();
    const next = batches.next();
    controller.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
  });
});

describe('the groups of a topic', () => {
  contract('are those that consumed it and those that subscribe to it', async (world) => {
    const { topic, admin } = await stored(world, ['a']);
    const [consumed, connected] = [await world.group(), await world.group()];
    await expect(admin.groupsOfTopic(topic)).resolves.toEqual({ topic, consumerGroups: [], failures: [] });
    const recorder = await world.record({ topic, consumerGroup: consumed });
    await world.until('it consumed', () => recorder.deliveries.length === 1);
    await world.until('its position is kept', async () => (await admin.groupLag(consumed)).lag === 0);
    await recorder.consumer.close();
    const elsewhere = await world.topic();
    const consumer = await world.simpleConsumer(topic, connected);
    await world.until('both are known', async () => (await admin.groupsOfTopic(topic)).consumerGroups.length === 2);
    expect(await admin.groupsOfTopic(topic)).toMatchObject({ consumerGroups: [consumed, connected].sort() });
    expect(await admin.groupsOfTopic(elsewhere)).toMatchObject({ consumerGroups: [] });
    expect(await admin.groupsOfTopic(world.name())).toMatchObject({ consumerGroups: [] });
    await consumer.close();
  });
});

describe('the failures in a topic', () => {
  const recordOf = (consumerGroup: string, messageId: string, name = 'CardError'): FailureRecord => ({
    atMs: 1,
    consumerGroup,
    topic: 'orders',
    messageId,
    deliveryAttempt: 1,
    settlement: messageId === 'a' ? { kind: 'deadLetter', reason: 'not-retryable' } : { kind: 'retry', delayMs: 10 },
    error: { name, text: `no ${messageId}` },
    instance: 'host@1',
    leftOut: 2,
  });

  contract('are read the newest first, of one group or all, and grouped by error', async (world) => {
    const records = [recordOf('x', 'a'), recordOf('y', 'b'), recordOf('x', 'c', 'TypeError'), recordOf('x', 'd')];
    const bodies = ['no record', ...records.map((one) => JSON.stringify(one))];
    const { topic, admin, producer } = await stored(world, bodies, { tag: 'retry' });
    const ids = async (options: object) =>
      (await admin.listFailures(topic, options)).records.map((one) => one.messageId);
    expect(await admin.listFailures(topic)).toEqual({ records: records.toReversed(), mayBeMore: false, failures: [] });
    expect(await ids({ consumerGroup: 'x' })).toEqual(['d', 'c', 'a']);
    expect(await ids({ consumerGroup: 'z' })).toEqual([]);
    expect(await admin.listFailures(topic, { limit: 2 })).toMatchObject({ records: { length: 2 }, mayBeMore: true });
    expect(failuresByError((await admin.listFailures(topic, { consumerGroup: 'x' })).records)).toMatchObject([
      { error: { name: 'CardError' }, retried: 1, deadLettered: 1, leftOut: 4, latest: { messageId: 'd' } },
      { error: { name: 'TypeError' }, retried: 1, deadLettered: 0 },
    ]);
    await producer.send({ topic, tag: 'retry', keys: ['e'], body: JSON.stringify(recordOf('x', 'e')) });
    await world.until('it is in the index', async () => (await ids({ messageId: 'e' })).length === 1);
    expect(await ids({ messageId: 'e', consumerGroup: 'y' })).toEqual([]);
    for (const options of [{ limit: 0 }, { limit: 10_001 }, { consumerGroup: 'a b' }])
      await expect(admin.listFailures(topic, options)).rejects.toMatchObject({ outcome: 'not-sent' });
    await expect(admin.listFailures(world.name())).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
  });
});
