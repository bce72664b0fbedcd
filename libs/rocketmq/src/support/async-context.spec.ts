import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { inFreshAsyncContext } from './async-context.js';

describe('a fresh async context', () => {
  const storage = new AsyncLocalStorage<string>();
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('has nothing of its caller, and its caller nothing of it', async () => {
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

  it('has nothing of the one before', () => {
    inFreshAsyncContext(() => storage.enterWith('first'));
    expect(inFreshAsyncContext(() => storage.getStore())).toBeUndefined();
    expect(storage.getStore()).toBeUndefined();
  });
});
