// Several listeners in one consumer: one subscription, dead letters, releases.

import { describe, expect } from '@jest/globals';
import {
  type BackoffPolicy,
  type BatchHandler,
  deadLetterTopicOf,
  type MessageListener,
  type MessageView,
  SECOND_MS,
} from 'nestjs-rocketmq/client';
import { SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import type { World } from './support/world.js';

const contract = contractSuite();

const BACKOFF: BackoffPolicy = { kind: 'customized', nextMs: [SECOND_MS] };
const tags = (expression: string) => ({ kind: 'tag', expression }) as const;
const textOf = ({ body }: MessageView): string => body.toString();

/** Waits until postponed and released messages are redelivered. */
async function letCome(world: World, what: string, isThere: () => boolean): Promise<void> {
  for (let round = 0; round < 20 && !isThere(); round++) await world.backend.advance(2 * SECOND_MS);
  await world.until(what, isThere);
}

describe('listeners of one group', () => {
  contract('share a topic by their tags; nobody gets what neither wants', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const seen: string[] = [];
    const listener = (name: string, filter: string): MessageListener => {
      return { name, topic, filter: tags(filter), handler: (message) => seen.push(`${name} ${textOf(message)}`) };
    };
    await world.listen(await world.group(), [listener('first', 'a || b'), listener('second', 'c')]);
    for (const tag of ['a', 'b', 'c', 'd']) await producer.send({ topic, tag, body: tag });
    await world.until('three deliveries', () => seen.length === 3);
    await world.backend.quiet();
    expect(seen.sort()).toEqual(['first a', 'first b', 'second c']);
  });

  contract('do not wait for one that is full, and what it has to leave loses no attempt', async (world) => {
    // One queue: the quick message is behind all others.
    const topic = world.name();
    await world.admin().createTopic({ topic, type: 'normal', queues: 1 });
    const producer = await world.producer();
    const seen: string[] = [];
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = async (message: MessageView): Promise<void> => {
      await released;
      seen.push(`${textOf(message)} ${message.deliveryAttempt}`);
    };
    const backlog = Array.from({ length: 12 }, (_, index) => `slow${index}`);
    for (const body of backlog) await producer.send({ topic, tag: 'slow', body });
    await producer.send({ topic, tag: 'quick', body: 'quick' });
    await world.listen(
      await world.group(),
      [
        { name: 'slow', topic, filter: tags('slow'), concurrency: 1, handler: slow },
        {
          name: 'quick',
          topic,
          filter: tags('quick'),
          concurrency: 1,
          handler: (message) => seen.push(textOf(message)),
        },
      ],
      { maxBufferedMessages: 4 },
    );
    await world.until('the quick one', () => seen.length > 0);
    expect(seen).toEqual(['quick']);
    release();
    await letCome(world, 'the slow ones', () => seen.length === 13);
    expect(seen.slice(1).sort()).toEqual(backlog.map((body) => `${body} 1`).sort());
  });

  contract('are paused one by one; a message for a paused one waits and loses no attempt', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const seen: string[] = [];
    const listener = (name: string): MessageListener => {
      const handler = (message: MessageView) => seen.push(`${name} ${textOf(message)} ${message.deliveryAttempt}`);
      return { name, topic, filter: tags(name), handler };
    };
    const consumer = await world.listen(await world.group(), [listener('a'), listener('b')]);
    consumer.pauseListener('a');
    for (const tag of ['a', 'b']) await producer.send({ topic, tag, body: 'one' });
    await world.until('the other', () => seen.length === 1);
    await world.backend.advance(15 * SECOND_MS);
    expect(seen).toEqual(['b one 1']);
    consumer.resumeListener('a');
    await letCome(world, 'the paused one', () => seen.length === 2);
    expect(seen[1]).toBe('a one 1');
  });

  contract('may get batches; one message of a batch fails and is retried alone', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const seen: string[] = [];
    const sizes: number[] = [];
    for (let index = 0; index < 8; index++) await producer.send({ topic, body: `m${index}` });
    await world.listen(await world.group({ backoff: BACKOFF }), [
      {
        name: 'batch',
        topic,
        concurrency: 1,
        batch: {
          maxSize: 8,
          maxWaitMs: 200,
          handler: (messages, context) => {
            sizes.push(messages.length);
            for (const message of messages) {
              seen.push(`${textOf(message)} ${message.deliveryAttempt}`);
              if (textOf(message) === 'm3' && message.deliveryAttempt === 1)
                context.fail(message, new Error('not this'));
            }
          },
        },
      },
    ]);
    await letCome(world, 'eight and a retry', () => seen.length === 9);
    await world.backend.advance(2 * SECOND_MS + SERVER_SLACK_MS);
    expect(seen.at(-1)).toBe('m3 2');
    expect(seen).toHaveLength(9);
    expect(Math.max(...sizes)).toBeGreaterThan(1);
  });

  contract('may get batches up to a number of bytes; a larger message comes alone', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const batches: string[][] = [];
    for (const body of ['aaaa', 'bbbb', 'cc', 'larger than ten', 'dddd', 'eeee', 'f']) {
      await producer.send({ topic, body });
    }
    const handler: BatchHandler = (messages) => batches.push(messages.map(textOf));
    const batch = { handler, maxSize: 100, maxBytes: 10, maxWaitMs: 500 };
    await world.listen(await world.group(), [{ name: 'batch', topic, concurrency: 1, batch }]);
    await world.until('seven messages', () => batches.flat().length === 7);
    const together = batches.filter((texts) => texts.length > 1);
    expect(batches).toContainEqual(['larger than ten']);
    expect(together).not.toEqual([]);
    expect(together.filter((texts) => texts.join('').length > 10)).toEqual([]);
  });

  contract('give a message up before the server would; it is in the dead letter queue of the group', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumerGroup = await world.group({ backoff: BACKOFF });
    const attempts: number[] = [];
    const handler = ({ deliveryAttempt }: MessageView): never => {
      attempts.push(deliveryAttempt);
      throw new Error('never');
    };
    await world.listen(consumerGroup, [{ name: 'strict', topic, handler, maxAttempts: 2 }]);
    await producer.send({ topic, body: 'hopeless' });
    await letCome(world, 'two attempts', () => attempts.length === 2);
    await world.backend.quiet();
    const graveyard = await world.simpleConsumer(deadLetterTopicOf(consumerGroup));
    const dead: string[] = [];
    await world.until('the dead letter', async () => {
      for (const message of await graveyard.receive({ longPollingTimeoutMs: 5_000 })) {
        dead.push(textOf(message));
        await graveyard.ack(message);
      }
      return dead.length > 0;
    });
    expect([dead, attempts]).toEqual([['hopeless'], [1, 2]]);
  });

  contract('send dead letters to the configured topic; the original is acknowledged', async (world) => {
    const topic = await world.topic();
    const graves = await world.topic();
    const producer = await world.producer();
    const consumerGroup = await world.group({ backoff: BACKOFF });
    let attempts = 0;
    await world.listen(consumerGroup, [
      {
        name: 'keeping',
        topic,
        maxAttempts: 1,
        handler: () => {
          attempts++;
          throw new Error('never');
        },
        deadLetterTo: async ({ message, reason }) => {
          await producer.send({ topic: graves, body: message.body, properties: { reason } });
        },
      },
    ]);
    await producer.send({ topic, body: 'hopeless' });
    const graveyard = await world.record({ topic: graves });
    await world.until('the dead letter', () => graveyard.deliveries.length === 1);
    await world.backend.advance(4 * SECOND_MS + SERVER_SLACK_MS);
    expect(graveyard.deliveries.map(({ text, message }) => [text, message.properties.reason])).toEqual([
      ['hopeless', 'attempts-exhausted'],
    ]);
    expect(attempts).toBe(1);
  });

  contract('are rejected with more attempts than the group has on the server', async (world) => {
    const topic = await world.topic();
    const listening = world.listen(await world.group(), [
      { name: 'eager', topic, handler: () => {}, maxAttempts: 1_000 },
    ]);
    await expect(listening).rejects.toThrow('TOO_MANY_ATTEMPTS');
  });
});
