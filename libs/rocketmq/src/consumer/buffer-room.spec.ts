import { describe, expect, it } from '@jest/globals';
import { BufferRoom } from './buffer-room.js';

const { signal } = new AbortController();
const isPending = async (promise: Promise<unknown>): Promise<boolean> => {
  const pending = Symbol('pending');
  return (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, pending))])) === pending;
};

describe('the room of a buffer', () => {
  it('gives what is free, and the rest only when held messages have ended', async () => {
    const room = new BufferRoom(10, 1_000);
    const first = await room.reserve(8, signal);
    expect(first.count).toBe(8);
    expect((await room.reserve(8, signal)).count).toBe(2);
    const third = room.reserve(8, signal);
    expect(await isPending(third)).toBe(true);
    first.close([1, 1, 1, 1, 1, 1, 1, 1]);
    expect(await isPending(third)).toBe(true);
    room.release(1);
    expect((await third).count).toBe(1);
  });

  it('gives back what a poll did not use, once', async () => {
    const room = new BufferRoom(4, 1_000);
    const reservation = await room.reserve(4, signal);
    reservation.close([1]);
    reservation.close([1]);
    expect((await room.reserve(4, signal)).count).toBe(3);
  });

  it('asks for less when the held messages are large, and for nothing when they fill it', async () => {
    const room = new BufferRoom(100, 1_000);
    (await room.reserve(32, signal)).close([200, 200]);
    const next = await room.reserve(32, signal);
    expect(next.count).toBe(3);
    next.close([200, 200, 200]);
    const third = room.reserve(32, signal);
    expect(await isPending(third)).toBe(true);
    room.release(200);
    expect((await third).count).toBe(1);
  });

  it('goes by the messages that came last also when none is held, and counts what polls under way may bring', async () => {
    const room = new BufferRoom(100, 1_000);
    (await room.reserve(32, signal)).close([200, 200]);
    room.release(200);
    room.release(200);
    expect((await room.reserve(32, signal)).count).toBe(5);
    // The room is taken, by a poll that may wait for long; another still gets something.
    expect((await room.reserve(32, signal)).count).toBe(1);
  });

  it('counts messages as large as they are unpacked', async () => {
    const room = new BufferRoom(100, 1_000);
    (await room.reserve(32, signal)).close([10, 10]);
    room.unpacked([10, 10], [10, 990]);
    const next = room.reserve(32, signal);
    expect(await isPending(next)).toBe(true);
    room.release(990);
    expect((await next).count).toBeLessThan(10);
    room.release(10);
  });

  it('forgets large messages when small ones come', async () => {
    const room = new BufferRoom(100, 1_000);
    (await room.reserve(32, signal)).close([1_000]);
    room.release(1_000);
    for (let poll = 0; poll < 12; poll++) {
      const reservation = await room.reserve(32, signal);
      reservation.close([1]);
      room.release(1);
    }
    expect((await room.reserve(32, signal)).count).toBe(32);
  });

  it('forgets who stopped waiting', async () => {
    const room = new BufferRoom(1, 1_000);
    const only = await room.reserve(1, signal);
    const controller = new AbortController();
    const given = room.reserve(1, controller.signal);
    controller.abort(new Error('stopped'));
    await expect(given).rejects.toThrow('stopped');
    const next = room.reserve(1, signal);
    only.close([]);
    expect((await next).count).toBe(1);
  });
});
