import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { inFreshAsyncContext } from './async-context.js';

describe('a fresh async context', () => {
  const storage = new AsyncLocalStorage<string>();
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('does not see the stores of its caller, nor the caller those of the work', async () => {
    await storage.run('caller', async () => {
      const seen = await inFreshAsyncContext(async () => {
        const before = storage.getStore();
        storage.enterWith('inside');
        await turn();
        return [before, storage.getStore()];
      });
      expect(seen).toEqual([undefined, 'inside']);
      expect(storage.getStore()).toBe('caller');
    });
  });

  it('does not see the stores of earlier work', () => {
    inFreshAsyncContext(() => storage.enterWith('first'));
    expect(inFreshAsyncContext(() => storage.getStore())).toBeUndefined();
    expect(storage.getStore()).toBeUndefined();
  });
});
