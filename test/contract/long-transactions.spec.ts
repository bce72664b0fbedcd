import { describe, expect } from '@jest/globals';
import {
  currentLocalTransaction,
  type Resolution,
  SECOND_MS,
  type TransactionCheckRequest,
} from 'nestjs-rocketmq/client';
import { CHECK_INTERVAL_MS, SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { texts } from './support/world.js';

const contract = contractSuite();

describe('local transactions that take long', () => {
  // 8 s is after the first check; 40 s is after the 30 s for which the server accepts a commit.
  for (const [seconds, title] of [
    [8, 'a local transaction of 8 s commits, though it is checked while it runs'],
    [40, 'a local transaction of 40 s commits, though it is checked while it runs'],
  ] as const) {
    contract(title, async (world) => {
      const topic = await world.topic('transaction');
      const recorder = await world.record({ topic });
      const answers: (Resolution | 'unknown')[] = [];
      const producer = await world.producer({
        transactionCheckers: { [topic]: () => 'rollback' },
        events: { onChecked: (_, resolution) => void answers.push(resolution) },
      });
      await producer.transact({ message: { topic, body: 'slow' } }, () => world.backend.advance(seconds * SECOND_MS));
      await world.backend.advance(CHECK_INTERVAL_MS + SERVER_SLACK_MS);
      await world.until('it is delivered', () => recorder.deliveries.length > 0);
      // A real server that checks while it handles the commit may deliver twice (docs/protocol-notes.md).
      expect([...new Set(texts(recorder.deliveries))]).toEqual(['slow']);
      expect(answers[0]).toBe('unknown');
      expect(answers).not.toContain('rollback');
    });
  }

  contract(
    'two instances: the one that does not run a local transaction lets it finish, and its fence comes after',
    async (world) => {
      const topic = await world.topic('transaction');
      const recorder = await world.record({ topic });
      /** Stands for a database table, shared by both instances, with the end of each transaction. */
      const ends = new Map<string, Resolution>();
      const fencing =
        (instance: string) =>
        async (check: TransactionCheckRequest): Promise<Resolution | 'unknown'> => {
          const { transactionId, mayStillRun } = check;
          asked.push(instance);
          if (mayStillRun) return ends.get(transactionId) ?? 'unknown';
          if (!ends.has(transactionId)) ends.set(transactionId, 'rollback');
          return ends.get(transactionId) ?? 'unknown';
        };
      const asked: string[] = [];
      const begun = { count: 0 };
      let finish = (): void => {};
      const finished = new Promise<void>((resolve) => {
        finish = resolve;
      });
      const times = { localTransactionTimeoutMs: 40 * SECOND_MS };
      const [running] = await Promise.all(
        ['running', 'other'].map((name) =>
          world.producer({ transactionCheckers: { [topic]: fencing(name) }, ...times }),
        ),
      );
      const bodies = ['1', '2', '3', '4'];
      const transactions = bodies.map((body) =>
        running?.transact({ message: { topic, body } }, async () => {
          const { transactionId } = currentLocalTransaction();
          begun.count++;
          await finished;
          if (ends.has(transactionId)) throw new Error(`${transactionId} was fenced while it ran`);
          ends.set(transactionId, 'commit');
        }),
      );
      const settled = Promise.allSettled(transactions);
      await world.until('the half messages are sent', async () => begun.count === bodies.length);
      await world.backend.advanceDuringWork(8 * SECOND_MS);
      for (let round = 0; round < 8 && !asked.includes('other'); round++) {
        await world.backend.advanceDuringWork(CHECK_INTERVAL_MS);
      }
      finish();
      expect((await settled).map(({ status }) => status)).toEqual(bodies.map(() => 'fulfilled'));
      await world.until('all are delivered', async () => {
        await world.backend.advance(SECOND_MS);
        return new Set(texts(recorder.deliveries)).size === bodies.length;
      });
      expect(asked).toContain('other');
      expect([...ends.values()]).toEqual(bodies.map(() => 'commit'));
    },
  );

  contract(
    'a checker may take as long as it is allowed to, and its late answer counts at the next check',
    async (world) => {
      const topic = await world.topic('transaction');
      const recorder = await world.record({ topic });
      let answer = (): void => {};
      let calls = 0;
      const slow = (): Promise<'commit'> => {
        calls++;
        return new Promise((resolve) => {
          answer = () => resolve('commit');
        });
      };
      const producer = await world.producer({
        transactionCheckers: { [topic]: slow },
        localTransactionTimeoutMs: SECOND_MS,
        checkTimeoutMs: 200,
      });
      await producer.beginTransaction({ topic, body: 'late' });
      await world.until('it was asked', async () => {
        if (calls === 0) await world.backend.advanceDuringWork(SECOND_MS);
        return calls > 0;
      });
      await new Promise((resolve) => setTimeout(resolve, 400));
      answer();
      await world.until('it is delivered', async () => {
        if (recorder.deliveries.length === 0) await world.backend.advanceDuringWork(SECOND_MS);
        return recorder.deliveries.length > 0;
      });
      expect(texts(recorder.deliveries)).toContain('late');
    },
  );
});
