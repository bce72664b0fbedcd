// Batches: what is written together, and what a failure concerns.

import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { Batches } from './batches.js';

/** Batches whose writes end when the test says so. */
function controlled() {
  const written: (readonly number[])[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const batches = new Batches<number>((items) => {
    written.push(items);
    return new Promise((resolve, reject) => ends.push((error) => (error === undefined ? resolve() : reject(error))));
  });
  return { batches, written, end: (error?: Error) => ends.shift()?.(error) };
}

describe('batches', () => {
  it('contain what was added while the one before was written', async () => {
    const { batches, written, end } = controlled();
    const first = batches.add(1);
    const later = Promise.all([batches.add(2), batches.add(3)]);
    expect(written).toEqual([[1]]);
    end();
    await first;
    expect(written).toEqual([[1], [2, 3]]);
    end();
    await later;
    const last = batches.add(4);
    end();
    await last;
    expect(written).toEqual([[1], [2, 3], [4]]);
  });

  it('fail as a whole, and the next one is written nevertheless', async () => {
    const { batches, written, end } = controlled();
    const first = batches.add(1);
    const failed = [batches.add(2), batches.add(3)].map((one) => one.catch((error: Error) => error.message));
    end();
    await first;
    const next = batches.add(4);
    end(new Error('away'));
    expect(await Promise.all(failed)).toEqual(['away', 'away']);
    end();
    await next;
    expect(written).toEqual([[1], [2, 3], [4]]);
  });

  it('do not run in the context of the caller who starts them', async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const batches = new Batches<number>(async () => {
      seen.push(context.getStore());
    });
    await context.run('a request', () => batches.add(1));
    expect(seen).toEqual([undefined]);
  });
});
