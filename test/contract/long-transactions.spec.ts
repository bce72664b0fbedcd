import { describe, expect } from '@jest/globals';
import { type Resolution, SECOND_MS } from 'nestjs-rocketmq/client';
import { CHECK_INTERVAL_MS, SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { texts } from './support/world.js';

const contract = contractSuite();

describe('local transactions that take long', () => {
  // 8 s is past the first check; 40 s is past the 30 s after which the server forgets whom it would commit for.
  for (const seconds of [8, 40]) {
    contract(`a local transaction of ${seconds} s commits, though it is checked while it runs`, async (world) => {
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
      // A real server that is about to check while it takes the commit may deliver twice (docs/protocol-notes.md).
      expect([...new Set(texts(recorder.deliveries))]).toEqual(['slow']);
      expect(answers[0]).toBe('unknown');
      expect(answers).not.toContain('rollback');
    });
  }
});
