import { describe, expect } from '@jest/globals';
import { currentLocalTransaction, SECOND_MS } from 'nestjs-rocketmq/client';
import { CHECK_INTERVAL_MS, SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { texts } from './support/world.js';

const contract = contractSuite();
const TIMES = { localTransactionTimeoutMs: 2 * SECOND_MS, firstCheckAfterMs: 14 * SECOND_MS };

describe('the times of a transaction', () => {
  contract('a half message is not asked for before its producer says so', async (world) => {
    const topic = await world.topic('transaction');
    let asked = 0;
    const check = (): 'commit' => {
      asked++;
      return 'commit';
    };
    const producer = await world.producer({ transactionCheckers: { [topic]: check }, ...TIMES });
    const recorder = await world.record({ topic });
    await producer.beginTransaction({ topic, body: 'forgotten' });
    await world.backend.advance(12 * SECOND_MS);
    expect(asked).toBe(0);
    await world.backend.advance(2 * SECOND_MS + SERVER_SLACK_MS);
    for (let round = 0; round < 4 && asked === 0; round++) await world.backend.advance(CHECK_INTERVAL_MS);
    await world.until('it is delivered', () => recorder.deliveries.length > 0);
    await world.backend.advance(CHECK_INTERVAL_MS + SERVER_SLACK_MS);
    // A real server may check again after the answer, and deliver again (docs/protocol-notes.md).
    expect([asked, [...new Set(texts(recorder.deliveries))]]).toEqual([1, ['forgotten']]);
  });

  contract('a local transaction that took too long is resolved by the check, as it ended', async (world) => {
    const topic = await world.topic('transaction');
    const events: string[] = [];
    const producer = await world.producer({
      transactionCheckers: { [topic]: () => 'rollback' },
      events: {
        onLeftToCheck: (_, resolution) => void events.push(`left to check: ${resolution}`),
        onChecked: (_, resolution) => void events.push(`checked: ${resolution}`),
      },
      ...TIMES,
    });
    const recorder = await world.record({ topic });
    let isOverdue = false;
    await producer.transact({ message: { topic, body: 'slow' } }, async () => {
      const { signal } = currentLocalTransaction();
      await world.backend.advanceDuringWork(6 * SECOND_MS);
      isOverdue = signal.aborted;
    });
    expect([isOverdue, events]).toEqual([true, ['left to check: commit']]);
    await world.backend.advance(8 * SECOND_MS + SERVER_SLACK_MS);
    for (let round = 0; round < 4 && events.length < 2; round++) await world.backend.advance(CHECK_INTERVAL_MS);
    await world.until('it is delivered', () => recorder.deliveries.length > 0);
    expect([events[1], [...new Set(texts(recorder.deliveries))]]).toEqual(['checked: commit', ['slow']]);
  });
});
