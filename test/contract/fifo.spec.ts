import { describe, expect } from '@jest/globals';
import { type BackoffPolicy, deadLetterTopicOf, RetryLaterError, SECOND_MS } from 'nestjs-rocketmq/client';
import { contractSuite } from './support/contract.js';
import { texts } from './support/world.js';

const contract = contractSuite();

const BACKOFF: BackoffPolicy = { kind: 'customized', nextMs: [SECOND_MS] };

describe('ordered messages', () => {
  contract('a message group keeps its order', async (world) => {
    const topic = await world.topic('fifo');
    const producer = await world.producer();
    const consumerGroup = await world.group({ fifo: true });
    const recorder = await world.record({ topic, consumerGroup, requireFifo: true });
    for (let step = 0; step < 10; step++) {
      for (const messageGroup of ['a', 'b', 'c']) {
        await producer.send({ topic, body: `${messageGroup}${step}`, messageGroup });
      }
    }
    await world.until('all have arrived', () => recorder.deliveries.length === 30);
    for (const messageGroup of ['a', 'b', 'c']) {
      const own = texts(recorder.deliveries.filter(({ message }) => message.messageGroup === messageGroup));
      expect(own).toEqual(Array.from({ length: 10 }, (_, step) => `${messageGroup}${step}`));
    }
  });

  contract('a failing message holds back its group until it succeeds', async (world) => {
    const topic = await world.topic('fifo');
    const producer = await world.producer();
    const recorder = await world.record({
      topic,
      consumerGroup: await world.group({ fifo: true, backoff: BACKOFF }),
      requireFifo: true,
      handle: ({ text, attempt }) => {
        if (text === 'second' && attempt < 3) throw new Error(`attempt ${attempt} fails`);
      },
    });
    for (const body of ['first', 'second', 'third']) await producer.send({ topic, body, messageGroup: 'order-1' });
    for (let round = 0; round < 10 && recorder.deliveries.length < 5; round++) await world.backend.advance(SECOND_MS);
    await world.until('all are done', () => recorder.deliveries.length >= 5);
    await world.backend.quiet();
    expect(texts(recorder.deliveries)).toEqual(['first', 'second', 'second', 'second', 'third']);
    expect(recorder.deliveries.map(({ attempt }) => attempt)).toEqual([1, 1, 2, 3, 1]);
  });

  contract('a message whose handler says "not now" holds back its group without an attempt', async (world) => {
    const topic = await world.topic('fifo');
    const producer = await world.producer();
    let calls = 0;
    const recorder = await world.record({
      topic,
      consumerGroup: await world.group({ fifo: true, maxDeliveryAttempts: 2, backoff: BACKOFF }),
      requireFifo: true,
      handle: ({ text }) => {
        const isEarly = text === 'first' && calls++ < 3;
        if (isEarly) throw new RetryLaterError({ delayMs: SECOND_MS, countsAsAttempt: false });
      },
    });
    for (const body of ['first', 'second']) await producer.send({ topic, body, messageGroup: 'order-1' });
    for (let round = 0; round < 10 && recorder.deliveries.length < 5; round++) await world.backend.advance(SECOND_MS);
    await world.until('both are handled', () => recorder.deliveries.length >= 5);
    expect(texts(recorder.deliveries)).toEqual(['first', 'first', 'first', 'first', 'second']);
    expect(recorder.deliveries.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1]);
  });

  contract('a message that never succeeds becomes a dead letter, and its group goes on', async (world) => {
    const topic = await world.topic('fifo');
    const producer = await world.producer();
    const consumerGroup = await world.group({ fifo: true, maxDeliveryAttempts: 2, backoff: BACKOFF });
    const recorder = await world.record({
      topic,
      consumerGroup,
      requireFifo: true,
      handle: ({ text }) => {
        if (text === 'poison') throw new Error('always');
      },
    });
    for (const body of ['poison', 'next']) await producer.send({ topic, body, messageGroup: 'order-1' });
    for (let round = 0; round < 10 && recorder.deliveries.length < 3; round++) await world.backend.advance(SECOND_MS);
    await world.until('the next one is delivered', () => texts(recorder.deliveries).includes('next'));
    const grave = await world.record({ topic: deadLetterTopicOf(consumerGroup) });
    await world.until('the dead letter is read', () => grave.deliveries.length === 1);
    expect(texts(recorder.deliveries)).toEqual(['poison', 'poison', 'next']);
    expect(texts(grave.deliveries)).toEqual(['poison']);
  });

  contract('an ordered listener does not start on a group that the server does not hold as ordered', async (world) => {
    const topic = await world.topic('fifo');
    const consumerGroup = await world.group();
    await expect(world.record({ topic, consumerGroup, requireFifo: true })).rejects.toMatchObject({
      code: 'CONSUMER_GROUP_NOT_FIFO',
    });
  });
});
