import { describe, expect, it } from '@jest/globals';
import { byBrokerName, isSameLayout, layoutText, parseLayout, placeOfMessageGroup, queueAt } from './layout.js';
import { queueOfMessageGroup } from './queue-hash.js';

describe('a layout', () => {
  it('is read from the form of name servers, and written in it', () => {
    const layout = parseLayout(' broker-a:8; broker-b:16 ;');
    expect(layout).toEqual([
      { brokerName: 'broker-a', queues: 8 },
      { brokerName: 'broker-b', queues: 16 },
    ]);
    expect(layoutText(layout ?? [])).toBe('broker-a:8;broker-b:16');
  });

  it.each(['', ';', 'a', 'a:', 'a:0', 'a:-1', 'a:1.5', 'a:1025', 'a:1;a:2', 'a:1 b:2', ':1', 'a:1:2'])(
    'is not read from %j',
    (text) => expect(parseLayout(text)).toBeUndefined(),
  );

  it('is not read from a text with more brokers than any cluster has, however long it is', () => {
    const textOf = (brokers: number): string => Array.from({ length: brokers }, (_, index) => `b${index}:1`).join(';');
    expect(parseLayout(textOf(256))).toHaveLength(256);
    expect(parseLayout(textOf(257))).toBeUndefined();
    // A million entries take no noticeable time.
    expect(parseLayout(textOf(1_000_000))).toBeUndefined();
    expect(parseLayout(';'.repeat(1_000_000))).toBeUndefined();
  });

  it('is the same in any order of its brokers, which are counted like in Java', () => {
    const [one, other] = [parseLayout('a:1;B:2'), parseLayout('B:2;a:1')].map((layout) => layout ?? []);
    expect(isSameLayout(one ?? [], other ?? [])).toBe(true);
    expect(layoutText(byBrokerName(one ?? []))).toBe('B:2;a:1');
  });

  it('has a queue for each position, and for each message group the one that a proxy chooses', () => {
    const layout = parseLayout('a:2;b:3') ?? [];
    const queues = [0, 1, 2, 3, 4].map((position) => queueAt(layout, position));
    expect(queues.map(({ brokerName, queueId }) => `${brokerName}${queueId}`)).toEqual(['a0', 'a1', 'b0', 'b1', 'b2']);
    expect(placeOfMessageGroup(layout, 'order-12345')).toEqual(queues[queueOfMessageGroup('order-12345', 5)]);
  });
});
