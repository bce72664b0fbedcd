import { afterEach, describe, expect } from '@jest/globals';
import {
  deadLetterTopicOf,
  type HandlerContext,
  type MessageView,
  MINUTE_MS,
  PushConsumer,
  type PushConsumerOptions,
  SECOND_MS,
} from 'nestjs-rocketmq/client';
import type { TcpForwarder } from '../fixtures/tcp-forwarder.js';
import { SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { forwarded } from './support/forwarded.js';
import { LEASE_MS } from './support/raw-consumer.js';
import type { World } from './support/world.js';

const contract = contractSuite();

/** How long a poll of a push consumer waits. */
const POLL_MS = 20 * SECOND_MS;

describe('answers that are lost in transit after the server has done its work', () => {
  const ends: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  /** A consumer behind a forwarder, which can drop the server's answers. */
  async function behindForwarder(
    world: World,
    topic: string,
    consumerGroup: string,
    handle: (message: MessageView, forwarder: TcpForwarder, context: HandlerContext) => Promise<void> | void,
    options: Partial<PushConsumerOptions> = {},
  ) {
    const { forwarder, through } = await forwarded(world);
    ends.push(() => forwarder.close());
    const connection = world.connection(through);
    const handled: string[] = [];
    const events: string[] = [];
    const consumer = new PushConsumer(connection, {
      consumerGroup,
      subscriptions: [{ topic }],
      invisibleDurationMs: LEASE_MS,
      events: {
        onSettleFailed: ({ body }, { kind }) => void events.push(`${body} ${kind}`),
        onLeaseLost: ({ body }) => void events.push(`${body} lost`),
      },
      handler: async (message, context) => {
        handled.push(`${message.body} ${message.deliveryAttempt}`);
        await handle(message, forwarder, context);
      },
      ...options,
    });
    ends.push(() => consumer.close({ shutdownGraceMs: 0 }));
    await consumer.start();
    return { forwarder, handled, events };
  }

  /** Bodies without the attempts. */
  const texts = (handled: readonly string[]): string[] => handled.map((line) => line.replace(/ \d+$/, ''));
  const wait = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs));

  contract('an ack is repeated, and the message is not redelivered', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const { forwarder, handled, events } = await behindForwarder(world, topic, await world.group(), (message, way) => {
      if (message.body.toString() === 'one') way.loseAnswers();
    });
    await producer.send({ topic, body: 'one' });
    await world.until('it is handled', () => handled.length === 1);
    // The server has the ack, but its answer was lost.
    await wait(500);
    forwarder.reset();
    await producer.send({ topic, body: 'two' });
    await world.until('the next one is handled', () => handled.length >= 2);
    await world.backend.advance(LEASE_MS + SERVER_SLACK_MS);
    // The open poll on the broken connection may have counted an attempt of the second message.
    expect([texts(handled), events]).toEqual([['one', 'two'], []]);
  });

  contract('a change of the invisible duration is not repeated: the message is redelivered, once', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumerGroup = await world.group({ backoff: { kind: 'customized', nextMs: [SECOND_MS] } });
    const { forwarder, handled, events } = await behindForwarder(world, topic, consumerGroup, (message, way) => {
      if (message.deliveryAttempt > 1) return;
      way.loseAnswers();
      throw new Error('not now');
    });
    await producer.send({ topic, body: 'one' });
    await world.until('it is handled', () => handled.length === 1);
    await wait(500);
    forwarder.reset();
    await world.until('the lost answer is reported', () => events.length === 1);
    for (let round = 0; round < 10 && handled.length < 2; round++) await world.backend.advance(SECOND_MS);
    await world.until('it is redelivered', () => handled.length >= 2);
    await world.backend.advance(LEASE_MS + SERVER_SLACK_MS);
    expect([texts(handled), events]).toEqual([['one', 'one'], ['one retry']]);
  });

  contract('what a poll brought is redelivered when its lease ends; nothing is lost', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const { forwarder, handled } = await behindForwarder(world, topic, await world.group(), () => {});
    await producer.send({ topic, body: 'first' });
    await world.until('it is handled', () => handled.length === 1);
    await world.backend.quiet();
    forwarder.loseAnswers();
    for (const body of ['one', 'two']) await producer.send({ topic, body });
    await wait(500);
    forwarder.reset();
    for (let round = 0; round < 20 && handled.length < 3; round++) {
      await world.backend.advanceDuringWork(2 * SECOND_MS);
      await wait(10);
    }
    await world.until('they come', () => handled.length >= 3);
    await world.backend.advance(LEASE_MS + SERVER_SLACK_MS);
    expect(texts(handled).sort()).toEqual(['first', 'one', 'two']);
  });

  contract(
    'what a poll brought to an ordered group is redelivered at once, in order, as the same attempt',
    async (world) => {
      const topic = await world.topic('fifo');
      const producer = await world.producer();
      const consumerGroup = await world.group({ fifo: true });
      // The case does not wait for a lease of this length.
      const options = { invisibleDurationMs: 10 * MINUTE_MS, requireFifo: true };
      const { forwarder, handled } = await behindForwarder(world, topic, consumerGroup, () => {}, options);
      await producer.send({ topic, body: 'first', messageGroup: 'g' });
      await world.until('it is handled', () => handled.length === 1);
      await world.backend.quiet();
      forwarder.loseAnswers();
      for (const body of ['one', 'two']) await producer.send({ topic, body, messageGroup: 'g' });
      await wait(500);
      forwarder.reset();
      await world.until('they come', () => handled.length >= 3);
      expect(handled).toEqual(['first 1', 'one 1', 'two 1']);
    },
  );

  contract('a move to the dead letters is not repeated: there is one dead letter', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumerGroup = await world.group({ maxDeliveryAttempts: 1 });
    const { forwarder, handled, events } = await behindForwarder(world, topic, consumerGroup, (_message, way) => {
      way.loseAnswers();
      throw new Error('always');
    });
    await producer.send({ topic, body: 'one' });
    await world.until('it is handled', () => handled.length === 1);
    await wait(500);
    forwarder.reset();
    await world.until('the lost answer is reported', () => events.length === 1);
    // 5.3.3 does not wake a waiting poll for a message whose lease ended.
    await world.backend.advance(LEASE_MS + SERVER_SLACK_MS + POLL_MS);
    const grave = await world.record({ topic: deadLetterTopicOf(consumerGroup) });
    await world.until('the dead letter is read', () => grave.deliveries.length >= 1);
    await world.backend.quiet();
    expect([texts(handled), events, grave.deliveries.map(({ text }) => text)]).toEqual([
      ['one'],
      ['one deadLetter'],
      ['one'],
    ]);
  });
});
