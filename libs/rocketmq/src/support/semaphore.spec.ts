import { describe, expect, it } from '@jest/globals';
import { Semaphore } from './semaphore.js';

describe('a semaphore', () => {
  it('grants permits in the order of the calls, and each once, however often it is released', async () => {
    const semaphore = new Semaphore(1);
    const release = await semaphore.acquire();
    const order: string[] = [];
    const acquire = async (name: string): Promise<() => void> => {
      const free = await semaphore.acquire();
      order.push(name);
      return free;
    };
    const [first, second] = [acquire('first'), acquire('second')];
    release();
    release();
    (await first)();
    (await second)();
    expect(order).toEqual(['first', 'second']);
    (await semaphore.acquire())();
  });

  it('drops a waiter that aborts', async () => {
    const semaphore = new Semaphore(1);
    const release = await semaphore.acquire();
    const caller = new AbortController();
    const waiting = semaphore.acquire(caller.signal);
    caller.abort(new Error('gave up'));
    await expect(waiting).rejects.toThrow('gave up');
    release();
    (await semaphore.acquire())();
    await expect(semaphore.acquire(caller.signal)).rejects.toThrow('gave up');
  });

  it('grants more permits at once when it grows, and none until enough are released when it shrinks', async () => {
    const semaphore = new Semaphore(1);
    const held = [await semaphore.acquire()];
    let granted = 0;
    const waiting = [1, 2, 3].map(async () => {
      const release = await semaphore.acquire();
      granted++;
      return release;
    });
    semaphore.resize(3);
    held.push(...(await Promise.all(waiting.slice(0, 2))));
    expect([granted, semaphore.tryAcquire()]).toEqual([2, undefined]);
    semaphore.resize(1);
    held.pop()?.();
    held.pop()?.();
    await Promise.resolve();
    expect(granted).toBe(2);
    held.pop()?.();
    (await waiting[2])?.();
    expect(semaphore.tryAcquire()).toBeDefined();
    expect(semaphore.tryAcquire()).toBeUndefined();
  });
});
