import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import { type HandedOut, OwnedQueue } from './owned-queue.js';

const stored = (queueOffset: number, topic = 'orders'): StoredMessageFields =>
  ({ queueOffset, topic, reconsumeTimes: 0, properties: new Map(), body: Buffer.from('xx') }) as never;

/** A queue from offset 0 with this many messages. */
function queueOf(count: number, isOrdered = false): OwnedQueue {
  const queue = new OwnedQueue(isOrdered, 0);
  queue.add(
    Array.from({ length: count }, (_, offset) => stored(offset)),
    count,
  );
  return queue;
}
const offsets = (taken: readonly HandedOut[]) => taken.map(({ offset }) => offset);

type Step =
  | { readonly kind: 'add'; readonly count: number }
  | { readonly kind: 'take'; readonly count: number }
  | { readonly kind: 'settle'; readonly pick: number }
  | { readonly kind: 'renew'; readonly pick: number }
  | { readonly kind: 'postpone'; readonly pick: number }
  | { readonly kind: 'pass'; readonly ms: number };
const count = fc.integer({ min: 1, max: 8 });
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom('add', 'take'), count }),
    fc.record({ kind: fc.constantFrom('settle', 'settle', 'renew', 'postpone'), pick: fc.nat(31) }),
    fc.record({ kind: fc.constant('pass'), ms: fc.integer({ min: 1, max: 40 }) }),
  ),
  { maxLength: 80 },
) as fc.Arbitrary<readonly Step[]>;

describe('an owned queue', () => {
  it.each([false, true])('loses nothing, hands out nothing twice at a time, and keeps order (%s)', (isOrdered) => {
    fc.assert(
      fc.property(steps, (list) => {
        const queue = new OwnedQueue(isOrdered, 0);
        const unsettled = new Set<number>();
        const held = new Map<number, { delivery: number; untilMs: number }>();
        let nowMs = 0;
        for (const step of list) {
          if (step.kind === 'add') {
            const from = queue.pullOffset;
            const more = Array.from({ length: step.count }, (_, index) => stored(from + index));
            for (const { queueOffset } of more) unsettled.add(queueOffset);
            queue.add(more, from + step.count);
          } else if (step.kind === 'take') {
            const wasIdle = held.size === 0;
            const taken = queue.take('orders', step.count, nowMs + 20);
            if (isOrdered && taken.length > 0) {
              expect(wasIdle).toBe(true);
              expect(offsets(taken)).toEqual([...unsettled].sort((a, b) => a - b).slice(0, taken.length));
            }
            for (const { offset, delivery } of taken) {
              expect(held.has(offset)).toBe(false);
              held.set(offset, { delivery, untilMs: nowMs + 20 });
            }
          } else if (step.kind === 'pass') {
            nowMs += step.ms;
            for (const [offset, { untilMs }] of held) if (untilMs <= nowMs) held.delete(offset);
            queue.pass(nowMs);
          } else {
            const [offset, one] = [...held][step.pick % Math.max(1, held.size)] ?? [];
            if (offset === undefined || one === undefined) continue;
            expect(queue.holds(offset, one.delivery)).toBe(true);
            if (step.kind === 'settle') {
              queue.settle(offset);
              unsettled.delete(offset);
              held.delete(offset);
            } else if (step.kind === 'renew') {
              const delivery = queue.renew(offset, nowMs + 20) ?? -1;
              expect(queue.holds(offset, one.delivery)).toBe(false);
              held.set(offset, { delivery, untilMs: nowMs + 20 });
            } else {
              queue.postpone(offset, nowMs + 5, true);
              held.delete(offset);
            }
          }
          expect(queue.commitOffset).toBe(Math.min(queue.pullOffset, ...unsettled));
          expect(queue.holding.map(({ offset }) => offset).sort()).toEqual([...held.keys()].sort());
        }
      }),
    );
  });

  it('counts the attempts that a handler had, not those that were put off for it', () => {
    const queue = queueOf(1);
    const attempts = [];
    for (const isCounted of [true, false, true]) {
      attempts.push(queue.take('orders', 1, 10).map(({ attempt, delivery }) => [attempt, delivery]));
      queue.postpone(0, 5, isCounted);
      queue.pass(5);
    }
    expect(attempts).toEqual([[[1, 1]], [[2, 2]], [[2, 3]]]);
  });

  it('has room again when what is not asked for is less, by number and by bytes', () => {
    const queue = queueOf(4);
    const limits = { ready: 4, readyBytes: 100, postponedBytes: 100, span: 100 };
    expect([queue.hasRoom(limits), queue.hasRoom({ ...limits, ready: 5, readyBytes: 8 })]).toEqual([false, false]);
    queue.take('orders', 1, 10);
    expect([queue.hasRoom(limits), queue.hasRoom({ ...limits, ready: 5, readyBytes: 8 })]).toEqual([true, true]);
  });

  it('has no room while one message holds up too many settled ones', () => {
    const queue = queueOf(10);
    for (const { offset } of queue.take('orders', 10, 100)) if (offset !== 0) queue.settle(offset);
    expect([queue.commitOffset, queue.span]).toEqual([0, 10]);
    expect(queue.hasRoom({ ready: 32, readyBytes: 100, postponedBytes: 100, span: 10 })).toBe(false);
    queue.settle(0);
    expect([queue.commitOffset, queue.span]).toEqual([10, 0]);
  });

  it('has no room while too many bytes wait for their next delivery', () => {
    const queue = queueOf(2);
    const limits = { ready: 32, readyBytes: 100, postponedBytes: 2, span: 100 };
    queue.take('orders', 2, 100);
    queue.postpone(0, 50, true);
    expect(queue.hasRoom(limits)).toBe(false);
    queue.pass(50);
    expect(queue.hasRoom(limits)).toBe(true);
  });

  it('counts what is unsettled of a broadcast, which nobody repeats', () => {
    const queue = new OwnedQueue(false, 0, true);
    const limits = { ready: 32, readyBytes: 100, postponedBytes: 100, span: 2 };
    queue.add(
      [0, 1, 2].map((offset) => stored(offset, 'orders')),
      3,
    );
    for (const { offset } of queue.take('orders', 3, 100)) if (offset > 0) queue.settle(offset);
    expect([queue.commitOffset, queue.span, queue.hasRoom(limits)]).toEqual([0, 1, true]);
    queue.add([stored(3, 'orders')], 4);
    expect([queue.span, queue.hasRoom(limits)]).toEqual([2, false]);
  });

  it('names what the next owner would begin with although messages behind it are settled, not in order', () => {
    const queue = queueOf(4);
    queue.take('orders', 4, 100);
    queue.settle(2);
    expect(queue.gaps.map(({ queueOffset }) => queueOffset)).toEqual([0, 1]);
    const ordered = queueOf(4, true);
    ordered.take('orders', 4, 100);
    ordered.settle(2);
    expect(ordered.gaps).toEqual([]);
  });

  it('hands out retries by the topic that they were sent to', () => {
    const queue = new OwnedQueue(false, 0);
    queue.add([stored(0, 'a'), stored(1, 'b'), stored(2, 'a')], 3);
    expect([offsets(queue.take('b', 8, 10)), offsets(queue.take('a', 8, 10))]).toEqual([[1], [0, 2]]);
  });

  it('forgets everything when it goes on at another offset', () => {
    const queue = queueOf(4);
    queue.take('orders', 2, 100);
    queue.moveTo(100);
    expect([queue.commitOffset, queue.pullOffset, queue.isIdle, queue.holding]).toEqual([100, 100, true, []]);
  });
});
