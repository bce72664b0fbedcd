import { describe, expect, it } from '@jest/globals';
import { MemoryStore } from '../store/memory-store.js';
import { allOf, pageOf } from './pages.js';

function filled(count: number): MemoryStore {
  const store = new MemoryStore();
  store.write(Array.from({ length: count }, (_, index) => ({ kind: 'put', key: ['a', index], value: index })));
  store.write([{ kind: 'put', key: ['b', 0], value: -1 }]);
  return store;
}

describe('a page', () => {
  const numbers = (key: readonly unknown[], value: unknown) => (Number(value) % 2 === 0 ? [key[1], value] : undefined);

  it('continues where the previous page ended, even if its last item was deleted', () => {
    const store = filled(10);
    const first = pageOf(store, ['a'], { limit: 2, after: undefined }, numbers);
    expect(first.items).toEqual([
      [0, 0],
      [2, 2],
    ]);
    store.write([{ kind: 'delete', key: ['a', 2] }]);
    const second = pageOf(store, ['a'], { limit: 9, after: first.next }, numbers);
    expect(second.items.map(([, value]) => value)).toEqual([4, 6, 8]);
    expect(second.next).toBeUndefined();
  });

  it('ends after many pairs that are not in its list, and returns where to continue', () => {
    const page = pageOf(filled(6_000), ['a'], { limit: 10, after: undefined }, (_, value) =>
      value === 5_999 ? value : undefined,
    );
    expect(page.items).toEqual([]);
    const next = pageOf(filled(6_000), ['a'], { limit: 10, after: page.next }, (_, value) =>
      value === 5_999 ? value : undefined,
    );
    expect(next).toEqual({ items: [5_999] });
  });
});

describe('reading everything', () => {
  it('returns all pairs once, over several turns, whatever is written in between', async () => {
    const store = filled(5_000);
    const seen: unknown[] = [];
    for await (const [key, value] of allOf(store, ['a'])) {
      if (value === 1_000) store.write([{ kind: 'delete', key: ['a', 4_000] }]);
      seen.push(key[1]);
    }
    expect(seen).toEqual(Array.from({ length: 5_000 }, (_, index) => index).filter((index) => index !== 4_000));
  });
});
