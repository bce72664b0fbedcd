import { describe, expect, it } from '@jest/globals';
import type { MessageView } from '../protocol/message.js';
import { MINUTE_MS } from '../support/clock.js';
import { silentLogger } from '../support/logger.js';
import { ManualClock } from '../support/manual-clock.js';
import { askChecker, TransactionMemory } from './transaction-check.js';

const check = { topic: 'orders', messageId: 'm', transactionId: 't', message: {} as MessageView };

describe('a transaction checker', () => {
  it.each(['commit', 'rollback'] as const)('answers %s', async (answer) => {
    expect(await askChecker(() => answer, check, silentLogger)).toBe(answer);
  });

  it('means unknown, never rollback, when it throws, rejects or gives nothing', async () => {
    const broken = [
      () => {
        throw new Error('database down');
      },
      () => Promise.reject(new Error('database down')),
      () => undefined,
      () => 'perhaps' as never,
    ];
    const answers = await Promise.all(broken.map((checker) => askChecker(checker, check, silentLogger)));
    expect(answers).toEqual(['unknown', 'unknown', 'unknown', 'unknown']);
  });
});

describe('TransactionMemory', () => {
  it('says unknown while a transaction runs, then how it ended', () => {
    const memory = new TransactionMemory(new ManualClock());
    memory.opened('a');
    expect(memory.recall('a')).toBe('unknown');
    memory.ended('a', 'commit', false);
    expect(memory.recall('a')).toBe('commit');
    memory.forget('a');
    expect(memory.recall('a')).toBeUndefined();
  });

  it('lets the server ask again when a check crosses an end that it took, and answers then', () => {
    const clock = new ManualClock();
    const memory = new TransactionMemory(clock);
    memory.ended('a', 'commit', true);
    expect(memory.recall('a')).toBe('unknown');
    clock.advanceTo(clock.nowMs() + 6_000);
    expect(memory.recall('a')).toBe('commit');
  });

  it('forgets what the server no longer asks for', () => {
    const clock = new ManualClock();
    const memory = new TransactionMemory(clock);
    memory.ended('old', 'commit', true);
    clock.advanceTo(clock.nowMs() + 61 * MINUTE_MS);
    memory.opened('new');
    expect([memory.recall('old'), memory.recall('new')]).toEqual([undefined, 'unknown']);
  });
});
