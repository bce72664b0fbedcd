import { describe, expect } from '@jest/globals';
import { currentLocalTransaction, type Resolution, SECOND_MS } from 'nestjs-rocketmq/client';
import { CHECK_INTERVAL_MS, FIRST_CHECK_MS, SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { texts, type World } from './support/world.js';

const contract = contractSuite();

/** A topic with a listener, and a checker whose answer the case sets. */
async function setUp(world: World) {
  const topic = await world.topic('transaction');
  const recorder = await world.record({ topic });
  const asked: string[] = [];
  const checker = { answer: 'unknown' as Resolution | 'unknown' };
  const check = ({ messageId }: { messageId: string }): Resolution | 'unknown' => {
    asked.push(messageId);
    return checker.answer;
  };
  const producer = await world.producer({ transactionCheckers: { [topic]: check } });
  return { topic, recorder, asked, checker, check, producer };
}

describe('transactions', () => {
  contract('a committed message is delivered, and not before the commit', async (world) => {
    const { topic, recorder, producer } = await setUp(world);
    let seenBefore = -1;
    const result = await producer.transact({ message: { topic, body: 'paid', keys: ['7'] } }, async () => {
      await world.backend.quiet();
      seenBefore = recorder.deliveries.length;
      return 'local result';
    });
    await world.until('it is delivered', () => recorder.deliveries.length === 1);
    expect(result).toBe('local result');
    expect(seenBefore).toBe(0);
    expect(recorder.deliveries[0]?.message).toMatchObject({ keys: ['7'], messageType: 'transaction' });
  });

  contract('a rolled-back message is never delivered', async (world) => {
    const { topic, recorder, producer, asked } = await setUp(world);
    await producer.transact({ message: { topic, body: 'never' } }, async () => currentLocalTransaction().rollback());
    await producer.transact({ message: { topic, body: 'fence' } }, async () => {});
    await world.until('a later one is delivered', () => recorder.deliveries.length > 0);
    await world.backend.advance(FIRST_CHECK_MS + CHECK_INTERVAL_MS + SERVER_SLACK_MS);
    expect(texts(recorder.deliveries)).toEqual(['fence']);
    expect(asked).toEqual([]);
  });

  contract('a message prepared inside the local transaction is delivered after it', async (world) => {
    const { topic, recorder, producer } = await setUp(world);
    await producer.transact({}, async () => {
      await currentLocalTransaction().prepare({ topic, body: 'prepared', tag: 'reserved' });
    });
    await producer.transact({}, async () => {});
    await world.until('it is delivered', () => recorder.deliveries.length === 1);
    expect(recorder.deliveries[0]?.message.tag).toBe('reserved');
  });

  contract('a local transaction that throws asks its checker at once and follows its answer', async (world) => {
    const { topic, recorder, producer, checker, asked } = await setUp(world);
    const failing = (body: string) =>
      producer.transact({ message: { topic, body } }, async () => {
        throw new Error(`${body} failed`);
      });
    checker.answer = 'rollback';
    await expect(failing('dropped')).rejects.toThrow('dropped failed');
    checker.answer = 'commit';
    await expect(failing('was committed after all')).rejects.toThrow('failed');
    await world.until('the committed one is delivered', () => recorder.deliveries.length === 1);
    expect(asked).toHaveLength(2);
    await world.backend.advance(FIRST_CHECK_MS + CHECK_INTERVAL_MS + SERVER_SLACK_MS);
    expect(texts(recorder.deliveries)).toEqual(['was committed after all']);
  });

  contract('a transaction of unknown fate is checked until the answer is commit', async (world) => {
    const { topic, recorder, producer, checker, asked } = await setUp(world);
    const half = producer.transact({ message: { topic, body: 'in doubt' } }, async () => {
      throw new Error('nobody knows');
    });
    await expect(half).rejects.toThrow('nobody knows');
    const askedAtOnce = asked.length;
    await world.backend.advance(FIRST_CHECK_MS + SERVER_SLACK_MS);
    await world.until('the server has asked', () => asked.length > askedAtOnce);
    expect(recorder.deliveries).toHaveLength(0);
    checker.answer = 'commit';
    await world.backend.advance(CHECK_INTERVAL_MS + SERVER_SLACK_MS);
    await world.until('it is delivered', () => recorder.deliveries.length === 1);
    expect(new Set(asked).size).toBe(1);
  });

  contract('a producer that dies after its half message is answered for by another one', async (world) => {
    const { topic, recorder, check, checker, asked } = await setUp(world);
    const connection = world.connection();
    const dying = await world.producer({ transactionCheckers: { [topic]: check } }, connection);
    await dying.beginTransaction({ topic, body: 'orphan' });
    // What the server sees of a killed process: its connections are closed without a termination.
    connection.close();
    checker.answer = 'commit';
    await world.backend.advance(FIRST_CHECK_MS + SERVER_SLACK_MS);
    for (let round = 0; round < 4 && recorder.deliveries.length === 0; round++) {
      await world.backend.advance(CHECK_INTERVAL_MS + SECOND_MS);
    }
    await world.until('it is delivered', () => recorder.deliveries.length === 1);
    expect(texts(recorder.deliveries)).toEqual(['orphan']);
    expect(asked.length).toBeGreaterThan(0);
  });
});
