import { describe, expect, it } from '@jest/globals';
import type { MessageView } from '../protocol/message.js';
import { silentLogger } from '../support/logger.js';
import { askChecker } from './transaction-check.js';

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
