// Batches: what is written together, and what a failure concerns.

import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { Batches } from './batches.js';

/** Batches whose writes end when the test says so. */
function controlled() {
  const written: (readonly number[])[] = [];
  const ends: (() => void)[] = [];
  const batches = new Batches<number>((items) => {
    written.push(items);
    return new Promise((resolve) => ends.push(resolve));
  });
  return { batches, written, end: () => ends.shift()?.() };
}

describe('batches', () => {
  it('contain what was added while the one before was written', async () => {
    const { batches, written, end } = controlled();
    const first = batches.add(1);
    const later = Promise.all([batches.add(2), batches.add(3)]);
    expect(written).toEqual([[1]]);
    end();
    await first;
    await new Promise(setImmediate);
    expect(written).toEqual([[1], [2, 3]]);
    end();
    await later;
    await new Promise(setImmediate);
    const last = batches.add(4);
    end();
    await last;
    expect(written).toEqual([[1], [2, 3], [4]]);
  });

  it('are written one by one when the database rejects them together, and only those that it rejects fail', async () => {
    const written: number[] = [];
    const batches = new Batches<number>(async (items) => {
      await Promise.resolve();
      if (items.includes(3)) throw new Error('rejected');
      written.push(...items);
    });
    const ended = await Promise.allSettled([1, 2, 3, 4].map((item) => batches.add(item)));
    expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    await batches.add(5);
    expect(written).toEqual([1, 2, 4, 5]);
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
