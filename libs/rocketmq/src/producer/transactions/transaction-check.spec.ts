import { describe, expect, it } from '@jest/globals';
import type { MessageView } from '../../protocol/model/message.js';
import { silentLogger } from '../../support/logger.js';
import { type AskOptions, askChecker } from './transaction-check.js';

const check = { topic: 'orders', messageId: 'm', transactionId: 't', message: {} as MessageView, mayStillRun: false };

function options(more: Partial<AskOptions> = {}): AskOptions {
  return { timeoutMs: 10_000, logger: silentLogger, onLate: () => {}, ...more };
}

describe('a transaction checker', () => {
  it.each(['commit', 'rollback'] as const)('answers %s', async (answer) => {
    expect(await askChecker(() => answer, check, options())).toBe(answer);
  });

  it('means unknown, never rollback, when it throws, rejects or returns nothing', async () => {
    const broken = [
      () => {
        throw new Error('database down');
      },
      () => Promise.reject(new Error('database down')),
      () => undefined,
      () => 'perhaps' as never,
    ];
    const answers = await Promise.all(broken.map((checker) => askChecker(checker, check, options())));
    expect(answers).toEqual(['unknown', 'unknown', 'unknown', 'unknown']);
  });

  it('can answer commit, but not rollback, while the transaction may still be running', async () => {
    const running = { ...check, mayStillRun: true };
    expect(await askChecker(() => 'commit', running, options())).toBe('commit');
    expect(await askChecker(() => 'rollback', running, options())).toBe('unknown');
  });

  it('means unknown when it times out, which is logged, and its late answer is kept', async () => {
    const [lines, late]: [string[], string[]] = [[], []];
    const logger = { ...silentLogger, error: (text: string) => void lines.push(text) };
    let answer = (_: 'commit'): void => {};
    const slow = () =>
      new Promise<'commit'>((resolve) => {
        answer = resolve;
      });
    const onLate = (resolution: string): void => void late.push(resolution);
    expect(await askChecker(slow, check, options({ timeoutMs: 20, logger, onLate }))).toBe('unknown');
    expect(lines).toEqual([expect.stringContaining('checkTimeoutMs')]);
    answer('commit');
    await new Promise((resolve) => setImmediate(resolve));
    expect(late).toEqual(['commit']);
  });

  it('is not waited for once its caller has aborted', async () => {
    const controller = new AbortController();
    const asked = askChecker(() => new Promise(() => {}), check, options({ signal: controller.signal }));
    controller.abort(new Error('gone'));
    expect(await asked).toBe('unknown');
  });
});
