import { describe, expect, it } from '@jest/globals';
import { silentLogger } from './logger.js';
import { callWatcher } from './watchers.js';

describe('callWatcher', () => {
  const lines: unknown[] = [];
  const logger = { ...silentLogger, error: (...line: unknown[]) => void lines.push(line) };
  const logged = () => lines.splice(0);

  it.each([
    [
      'throws',
      () => {
        throw new Error('no disk left');
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('no disk left');
      },
    ],
  ])('logs the failure of an event handler that %s, and continues', async (_, watcher) => {
    callWatcher(logger, 'tests', watcher);
    await new Promise((resolve) => setImmediate(resolve));
    expect(logged()).toEqual([['an event handler of tests failed', { error: 'no disk left' }]]);
  });

  it.each([
    ['returns', () => 'well'],
    ['resolves', async () => 'well'],
  ])('logs nothing for one that %s', async (_, watcher) => {
    callWatcher(logger, 'tests', watcher);
    await new Promise((resolve) => setImmediate(resolve));
    expect(logged()).toEqual([]);
  });
});
