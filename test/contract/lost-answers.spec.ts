// The server did its work but the answer was lost: what producers report, and what consumers receive.

import { describe, expect } from '@jest/globals';
import { type Producer, type ProducerOptions, SECOND_MS } from 'nestjs-rocketmq/client';
import type { TcpForwarder } from '../fixtures/tcp-forwarder.js';
import { FIRST_CHECK_MS, SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { forwarded } from './support/forwarded.js';
import { texts, type World } from './support/world.js';

const contract = contractSuite();
/** A first recall is given up after some seconds, and the second one must still find the message. */
const RECALL_DELAY_MS = 20 * SECOND_MS;

/** A producer behind a forwarder, which can drop the server's answers. */
async function behindForwarder(
  world: World,
  options: ProducerOptions,
  use: (producer: Producer, forwarder: TcpForwarder) => Promise<void>,
): Promise<void> {
  const { forwarder, through } = await forwarded(world);
  const producer = await world.producer(options, world.connection(through));
  try {
    await use(producer, forwarder);
  } finally {
    await producer.close();
    await forwarder.close();
  }
}

describe('a lost answer', () => {
  contract(
    'to a send is followed by another one under the same id, and the message comes more than once',
    async (world) => {
      const topic = await world.topic();
      const recorder = await world.record({ topic });
      await behindForwarder(world, {}, async (producer, forwarder) => {
        await producer.send({ topic, body: 'before' });
        forwarder.loseAnswers();
        const { messageId } = await producer.send({ topic, body: 'after' });
        const late = () => recorder.deliveries.filter(({ text }) => text === 'after');
        await world.until('it has arrived twice', () => late().length > 1);
        expect(new Set(late().map(({ message }) => message.messageId))).toEqual(new Set([messageId]));
      });
    },
  );

  contract('to the only attempt leaves the outcome unknown, and the message is there', async (world) => {
    const topic = await world.topic();
    const recorder = await world.record({ topic });
    await behindForwarder(world, { maxAttempts: 1 }, async (producer, forwarder) => {
      await producer.send({ topic, body: 'before' });
      forwarder.loseAnswers();
      const sending = producer.send({ topic, body: 'after', messageId: 'THE-SAME' });
      await expect(sending).rejects.toMatchObject({ outcome: 'unknown', retryable: true });
      await world.until('both have arrived', () => recorder.deliveries.length === 2);
      expect(texts(recorder.deliveries).sort()).toEqual(['after', 'before']);
    });
  });

  contract(
    'to a half message keeps the local transaction from running, and its check drops the half',
    async (world) => {
      const topic = await world.topic('transaction');
      const recorder = await world.record({ topic });
      const asked: string[] = [];
      const check = ({ messageId }: { messageId: string }): 'rollback' => {
        asked.push(messageId);
        return 'rollback';
      };
      await behindForwarder(world, { transactionCheckers: { [topic]: check } }, async (producer, forwarder) => {
        await producer.transact({ message: { topic, body: 'before' } }, async () => {});
        forwarder.loseAnswers();
        let ran = false;
        const running = producer.transact({ message: { topic, body: 'lost', messageId: 'HALF' } }, async () => {
          ran = true;
        });
        await expect(running).rejects.toMatchObject({ outcome: 'unknown' });
        await world.producer({ transactionCheckers: { [topic]: check } });
        await world.backend.advance(FIRST_CHECK_MS + SERVER_SLACK_MS);
        for (let round = 0; round < 8 && asked.length === 0; round++) await world.backend.advance(2 * SECOND_MS);
        expect([ran, new Set(asked)]).toEqual([false, new Set(['HALF'])]);
        expect(texts(recorder.deliveries)).toEqual(['before']);
      });
    },
  );

  contract('to a commit is no failure: the message is visible, and the event reports it', async (world) => {
    const topic = await world.topic('transaction');
    const recorder = await world.record({ topic });
    const events: string[] = [];
    const options: ProducerOptions = {
      transactionCheckers: { [topic]: () => 'commit' },
      events: { onLeftToCheck: (_, resolution) => void events.push(resolution) },
    };
    await behindForwarder(world, options, async (producer, forwarder) => {
      const result = await producer.transact({ message: { topic, body: 'paid' } }, async () => {
        forwarder.loseAnswers();
        return 'local result';
      });
      expect([result, events]).toEqual(['local result', ['commit']]);
      await world.until('it is delivered', () => recorder.deliveries.length > 0);
      expect(new Set(texts(recorder.deliveries))).toEqual(new Set(['paid']));
    });
  });

  contract('to a recall is followed by a second one, and the message does not come', async (world) => {
    const topic = await world.topic('delay');
    const recorder = await world.record({ topic });
    await behindForwarder(world, {}, async (producer, forwarder) => {
      const { recallHandle = '', messageId } = await producer.send({ topic, body: 'never', delayMs: RECALL_DELAY_MS });
      await producer.send({ topic, body: 'due', delayMs: RECALL_DELAY_MS });
      forwarder.loseAnswers();
      expect(await producer.recall({ topic, recallHandle })).toEqual({ messageId });
      await world.backend.advance(RECALL_DELAY_MS + SERVER_SLACK_MS);
      await world.until('the other is delivered', () => recorder.deliveries.length > 0);
      expect(texts(recorder.deliveries)).toEqual(['due']);
    });
  });
});
