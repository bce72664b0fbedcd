import { describe, expect, it } from '@jest/globals';
import { InFlightLimit, type Room } from './backpressure.js';

/** Lets what was admitted say so. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('InFlightLimit', () => {
  const never = new AbortController().signal;

  function waiting(limit: InFlightLimit, sizes: readonly number[]): { admitted: number[]; rooms: Room[] } {
    const seen = { admitted: [] as number[], rooms: [] as Room[] };
    for (const size of sizes) {
      void limit.enter(size, never).then((room) => {
        seen.admitted.push(size);
        seen.rooms.push(room);
      });
    }
    return seen;
  }

  it('limits the number of messages, and admits as many as have left', async () => {
    const { admitted, rooms } = waiting(new InFlightLimit({ maxCount: 2, maxBytes: 100 }), [1, 2, 3, 4]);
    await settled();
    expect(admitted).toEqual([1, 2]);
    rooms[0]?.leave();
    rooms[0]?.leave();
    await settled();
    expect(admitted).toEqual([1, 2, 3]);
  });

  it('limits their bytes, and keeps the order of waiters', async () => {
    const limit = new InFlightLimit({ maxCount: 9, maxBytes: 10 });
    const { admitted, rooms } = waiting(limit, [6, 5, 1]);
    await settled();
    expect([admitted, limit.tryEnter(1)]).toEqual([[6], undefined]);
    rooms[0]?.leave();
    await settled();
    expect(admitted).toEqual([6, 5, 1]);
  });

  it('admits a message larger than the limit alone', async () => {
    const { admitted, rooms } = waiting(new InFlightLimit({ maxCount: 9, maxBytes: 10 }), [1, 11, 2]);
    await settled();
    expect(admitted).toEqual([1]);
    rooms[0]?.leave();
    await settled();
    expect(admitted).toEqual([1, 11]);
    rooms[1]?.leave();
    await settled();
    expect(admitted).toEqual([1, 11, 2]);
  });

  it('releases unneeded bytes early', async () => {
    const limit = new InFlightLimit({ maxCount: 9, maxBytes: 10 });
    const { admitted, rooms } = waiting(limit, [10, 4, 4]);
    await settled();
    expect(admitted).toEqual([10]);
    rooms[0]?.shrinkTo(6);
    await settled();
    expect(admitted).toEqual([10, 4]);
    rooms[0]?.shrinkTo(8);
    rooms[0]?.leave();
    rooms[0]?.shrinkTo(0);
    await settled();
    expect([admitted, limit.tryEnter(3), limit.tryEnter(2)]).toEqual([[10, 4, 4], undefined, expect.anything()]);
  });

  it('drops a waiter that aborts, and admits the next', async () => {
    const limit = new InFlightLimit({ maxCount: 9, maxBytes: 10 });
    const room = limit.tryEnter(6);
    const caller = new AbortController();
    const large = limit.enter(5, caller.signal);
    const small = limit.enter(1, never);
    caller.abort(new Error('gave up'));
    await expect(large).rejects.toThrow('gave up');
    (await small).leave();
    room?.leave();
    expect(limit.tryEnter(10)).toBeDefined();
    await expect(limit.enter(1, caller.signal)).rejects.toThrow('gave up');
  });
});
