import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { MemoryStore } from './memory-store.js';
import { compareKeys, hasPrefix, type Key } from './store.js';

/** What every store promises; a durable one runs the same cases. */
describe.each([['MemoryStore', () => new MemoryStore()]])('%s', (_name, make) => {
  const keyPart = fc.oneof(fc.constantFrom('', 'a', 'b', 'topic', 'ä'), fc.integer({ min: -3, max: 1_000 }));
  const key = fc.array(keyPart, { minLength: 1, maxLength: 4 });
  const change = fc.record({ kind: fc.constantFrom('put' as const, 'delete' as const), key, value: fc.integer() });

  it('reads like a sorted list of what was written last', () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 8 }), { maxLength: 20 }), key, (batches, prefix) => {
        const store = make();
        const model = new Map<string, [Key, unknown]>();
        for (const batch of batches) {
          store.write(batch);
          for (const { kind, key, value } of batch) {
            if (kind === 'put') model.set(JSON.stringify(key), [key, value]);
            else model.delete(JSON.stringify(key));
          }
        }
        const sorted = [...model.values()].sort(([left], [right]) => compareKeys(left, right));
        expect([...store.scan([])]).toEqual(sorted);
        expect([...store.scan(prefix)]).toEqual(sorted.filter(([key]) => hasPrefix(key, prefix)));
        for (const [key, value] of sorted) expect(store.get(key)).toBe(value);
      }),
    );
  });

  it('begins and ends a scan where it is told', () => {
    const store = make();
    store.write([1, 2, 10, 20].map((offset) => ({ kind: 'put', key: ['log', offset], value: offset })));
    store.write([{ kind: 'put', key: ['other', 5], value: 0 }]);
    const values = [...store.scan(['log'], { from: ['log', 2], before: ['log', 20] })].map(([, value]) => value);
    expect(values).toEqual([2, 10]);
  });

  it('has no value for a key that was never put', () => {
    expect(make().get(['nothing'])).toBeUndefined();
  });

  it('flushes and closes, also twice', async () => {
    const store = make();
    await store.flush();
    await store.close();
    await store.close();
  });
});

describe('compareKeys', () => {
  it('sorts numbers by value and before strings, and a beginning before what it begins', () => {
    const keys: Key[] = [['a', 'b'], ['a', 10], ['a', 9], ['a'], ['a', 9, 0], [1]];
    expect(keys.sort(compareKeys)).toEqual([[1], ['a'], ['a', 9], ['a', 9, 0], ['a', 10], ['a', 'b']]);
  });
});
