// Dead letters with labels that other clients can store, and that a send of this one rejects.

import { unzipSync } from 'node:zlib';
import { describe, expect } from '@jest/globals';
import { type BatchHandler, type DeadLetter, DeadLetterError, type Producer, SECOND_MS } from 'nestjs-rocketmq/client';
import { seemsBefore, startLiteBackend } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { rawStore } from './support/raw-store.js';
import { texts } from './support/world.js';

const [NAME_END, END] = ['\u0001', '\u0002'];
const property = (name: string, value: string): string => `${name}${NAME_END}${value}${END}`;
const many = (count: number, value: string): string =>
  Array.from({ length: count }, (_, index) => property(`p${index}`, value)).join('');

const LABELS: Readonly<Record<string, string>> = {
  'a key with a tab': property('KEYS', 'one\ttwo'),
  'a key with a line break': property('KEYS', 'one\ntwo three'),
  'a tag of two': property('TAGS', 'a||b'),
  'a tag with a control character': property('TAGS', 'a\u0007'),
  'a blank tag': property('TAGS', ' '),
  'a property with a line break': property('note', 'first line\nsecond line'),
  'a property with a tab in its name': property('a\tb', 'c'),
  'a property of the C1 controls': property('note', 'a\u0085b'),
  'more properties than a send takes': many(140, 'x'),
  'properties of 17 KB': many(17, 'x'.repeat(1_000)),
  'one property of 17 KB': property('large', 'x'.repeat(17_000)),
  'keys of 17 KB': property('KEYS', Array.from({ length: 170 }, () => 'k'.repeat(99)).join(' ')),
  'a long tag of surrogate pairs': property('TAGS', `a||b${'😀'.repeat(200)}`),
  'a longer tag of surrogate pairs': property('TAGS', `a||bc${'😀'.repeat(200)}`),
  'an empty tag and no key': property('TAGS', '') + property('KEYS', ''),
  'a priority that is no number': property('_SYS_MSG_PRIORITY_', 'high'),
  'a priority below 0': property('_SYS_MSG_PRIORITY_', '-1'),
  'the queues of other lite topics': property('INNER_MULTI_DISPATCH', 'one,two'),
  'a message group': property('__SHARDINGKEY', 'one'),
  'control characters 1 and 2': property('note', 'a\u0001b') + END + NAME_END,
  'a key, a tag and a property that are in order': property('KEYS', 'k') + property('TAGS', 't') + property('p', 'v'),
};

/** As an application forwards a message, without a thought of such labels. */
function forwardingTo(topic: string, producer: Producer) {
  return async ({ message: { body, tag, keys, properties } }: DeadLetter): Promise<void> => {
    await producer.send({ topic, body, keys, properties, ...(tag === undefined ? {} : { tag }) });
  };
}

describe('dead letters that another client has stored', () => {
  const contract = contractSuite();

  contract('are kept by deadLetterTo, whatever their labels', async (world) => {
    const [topic, graves] = [await world.topic(), await world.topic()];
    const producer = await world.producer();
    for (const [body, properties] of Object.entries(LABELS)) await rawStore(world, { topic, body, properties });
    const grave = await world.record({ topic: graves });
    await world.record({
      topic,
      handle: () => {
        throw new DeadLetterError('not for us');
      },
      deadLetterTo: forwardingTo(graves, producer),
    });
    await world.until('all are kept', () => grave.deliveries.length >= Object.keys(LABELS).length);
    expect(texts(grave.deliveries).sort()).toEqual(Object.keys(LABELS).sort());
    const noteOf = (body: string, name: string) => {
      return grave.deliveries.find(({ text }) => text === body)?.message.properties[name];
    };
    expect(noteOf('a tag of two', 'originTag')).toBe('a||b');
    expect(noteOf('a key with a tab', 'originKeys')).toBe('["one\\ttwo"]');
    expect(noteOf('a property with a line break', 'note')).toBe('first line\\u000asecond line');
    expect(noteOf('one property of 17 KB', 'originPropertiesLeftOut')).toBe('["large"]');
    const inOrder = grave.deliveries.find(({ text }) => text.endsWith('in order'))?.message;
    expect(inOrder).toMatchObject({ tag: 't', keys: ['k'], properties: { p: 'v' } });
  });
});

describe('dead letters that another client has stored in the way of others', () => {
  const contract = contractSuite();
  const bodies = Object.keys(LABELS).sort();

  contract('are kept out of an ordered group, which goes on behind each', async (world) => {
    const [topic, graves] = [await world.topic('fifo'), await world.topic()];
    const producer = await world.producer();
    for (const [body, labels] of Object.entries(LABELS))
      await rawStore(world, { topic, body, properties: property('__SHARDINGKEY', 'one') + labels });
    const grave = await world.record({ topic: graves });
    const recorder = await world.record({
      topic,
      consumerGroup: await world.group({ fifo: true }),
      requireFifo: true,
      handle: () => {
        throw new DeadLetterError('not for us');
      },
      deadLetterTo: forwardingTo(graves, producer),
    });
    await world.until('all are kept', () => grave.deliveries.length >= bodies.length);
    expect(texts(grave.deliveries).sort()).toEqual(bodies);
    expect(texts(recorder.deliveries)).toEqual(Object.keys(LABELS));
    // As a property, it would make the copy an ordered message, which the other topic rejects.
    expect(recorder.deliveries.filter(({ message }) => '__SHARDINGKEY' in message.properties)).toEqual([]);
  });

  contract('are kept out of batches', async (world) => {
    const [topic, graves, consumerGroup] = [await world.topic(), await world.topic(), await world.group()];
    const producer = await world.producer();
    for (const [body, properties] of Object.entries(LABELS)) await rawStore(world, { topic, body, properties });
    const grave = await world.record({ topic: graves });
    const handler: BatchHandler = (messages, { fail }) => {
      for (const message of messages) fail(message, new DeadLetterError('not for us'));
    };
    const batch = { handler, maxSize: 8, maxWaitMs: 100 };
    await world.listen(consumerGroup, [{ name: 'batch', topic, batch, deadLetterTo: forwardingTo(graves, producer) }]);
    await world.until('all are kept', () => grave.deliveries.length >= bodies.length);
    expect(texts(grave.deliveries).sort()).toEqual(bodies);
  });

  contract('can be replayed from the dead letter queue of the server as they were', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    for (const [body, properties] of Object.entries(LABELS)) await rawStore(world, { topic, body, properties });
    let isReplayed = false;
    const recorder = await world.record({
      topic,
      consumerGroup,
      handle: () => {
        if (!isReplayed) throw new DeadLetterError('not now');
      },
    });
    const admin = world.admin();
    const total = async (): Promise<number> => (await admin.listDeadLetters(consumerGroup, { limit: 1 })).total;
    await world.until('all are dead letters', async () => (await total()) === bodies.length);
    isReplayed = true;
    const before = [...recorder.deliveries];
    const { replayed, failed } = await admin.replayDeadLetters(consumerGroup, {
      limit: 100,
      timeoutMs: 30 * SECOND_MS,
    });
    expect(failed.map(({ deadLetter, error }) => [String(deadLetter.body), error.message])).toEqual([]);
    expect(replayed).toHaveLength(bodies.length);
    await world.until('all are delivered again', () => recorder.deliveries.length >= before.length + bodies.length);
    const labelsOf = (all: typeof before) =>
      all
        .map(({ text, message: { tag, keys, properties } }) => {
          const { DEAD_LETTER_REPLAY: _, ...own } = properties;
          return [text, tag, keys, own];
        })
        .sort(([one], [other]) => (String(one) < String(other) ? -1 : 1));
    expect(labelsOf(recorder.deliveries.slice(before.length))).toEqual(labelsOf(before));
  });
});

const liteSuite = seemsBefore('5.5.0') ? describe.skip : describe;

liteSuite('a lite topic with a message of another client', () => {
  const contract = contractSuite(startLiteBackend);

  contract('goes on behind it, whatever its labels', async (world) => {
    const [topic, graves] = [await world.topic('lite'), await world.topic()];
    const producer = await world.producer();
    const labels = Object.entries(LABELS).slice(0, 6);
    for (const [body, properties] of labels) {
      await rawStore(world, { topic, body, properties: `${property('__LITE_TOPIC', 'a')}${properties}` });
    }
    await producer.send({ topic, body: 'behind', liteTopic: 'a' });
    const grave = await world.record({ topic: graves });
    const recorder = await world.record({
      topic,
      consumerGroup: await world.group({ lite: { topic } }),
      liteTopics: ['a'],
      handle: ({ text }) => {
        if (text !== 'behind') throw new DeadLetterError('not for us');
      },
      deadLetterTo: forwardingTo(graves, producer),
    });
    for (let round = 0; round < 20 && !texts(recorder.deliveries).includes('behind'); round++)
      await world.backend.advance(SECOND_MS);
    await world.until('the last one arrives', () => texts(recorder.deliveries).includes('behind'));
    expect(texts(recorder.deliveries)).toEqual([...labels.map(([body]) => body), 'behind']);
    await world.until('the others are kept', () => grave.deliveries.length >= labels.length);
    expect(texts(grave.deliveries).sort()).toEqual(labels.map(([body]) => body).sort());
  });

  contract('goes on behind a body that fits compressed only, which is kept as it was stored', async (world) => {
    const [topic, graves] = [await world.topic('lite'), await world.topic()];
    const producer = await world.producer();
    const body = Buffer.alloc(5 * 1024 * 1024, 'x');
    await (await world.producer({ compression: {} })).send({ topic, body, liteTopic: 'a' });
    await producer.send({ topic, body: 'behind', liteTopic: 'a' });
    const grave = await world.record({ topic: graves });
    const recorder = await world.record({
      topic,
      consumerGroup: await world.group({ lite: { topic } }),
      liteTopics: ['a'],
      handle: ({ text }) => {
        if (text !== 'behind') throw new DeadLetterError('not for us');
      },
      deadLetterTo: forwardingTo(graves, producer),
    });
    await world.until('the last one arrives', () => texts(recorder.deliveries).includes('behind'));
    await world.until('the other is kept', () => grave.deliveries.length === 1);
    const [kept] = grave.deliveries;
    expect(kept?.message.properties.originBody).toBe('compressed');
    expect(unzipSync(kept?.message.body ?? '').equals(body)).toBe(true);
  });
});
