import { describe, expect, it } from '@jest/globals';
import { BufferRoom } from './buffer-room.js';

const { signal } = new AbortController();
const isPending = async (promise: Promise<unknown>): Promise<boolean> => {
  const pending = Symbol('pending');
  return (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, pending))])) === pending;
};

/** A poll that asks for up to `most`, and receives messages of these sizes. */
async function poll(room: BufferRoom, most: number, sizes: readonly number[]): Promise<boolean[]> {
  const reservation = await room.reserve(most, signal);
  const mayGoOn = sizes.map((size) => reservation.add(size));
  reservation.close();
  return mayGoOn;
}

describe('the room of a buffer', () => {
  it('grants free room, and more only when held messages have ended', async () => {
    const room = new BufferRoom(10, 1_000);
    await poll(room, 1, [1]);
    room.release(1, true);
    const first = await room.reserve(8, signal);
    expect(first.count).toBe(8);
    expect((await room.reserve(8, signal)).count).toBe(2);
    const third = room.reserve(8, signal);
    expect(await isPending(third)).toBe(true);
    for (let came = 0; came < 8; came++) first.add(1);
    first.close();
    expect(await isPending(third)).toBe(true);
    room.release(1, true);
    expect((await third).count).toBe(1);
  });

  it('returns what a poll did not use, once', async () => {
    const room = new BufferRoom(4, 1_000);
    await poll(room, 1, [1]);
    room.release(1, true);
    const reservation = await room.reserve(4, signal);
    reservation.add(1);
    reservation.close();
    reservation.close();
    expect((await room.reserve(4, signal)).count).toBe(3);
  });

  it('asks for less when the held messages are large, and for nothing when they fill it', async () => {
    const room = new BufferRoom(100, 1_000);
    await poll(room, 32, [200, 200]);
    const next = await room.reserve(32, signal);
    expect(next.count).toBe(3);
    for (let came = 0; came < 3; came++) next.add(200);
    next.close();
    const third = room.reserve(32, signal);
    expect(await isPending(third)).toBe(true);
    room.release(200, true);
    expect((await third).count).toBe(1);
  });

  it('uses the size of the latest messages even when none is held, and counts what open polls may receive', async () => {
    const room = new BufferRoom(100, 1_000);
    await poll(room, 32, [200, 200]);
    room.release(200, true);
    room.release(200, true);
    expect((await room.reserve(32, signal)).count).toBe(5);
    // The room is taken, by a poll that may wait for long; another still gets something.
    expect((await room.reserve(32, signal)).count).toBe(1);
  });

  it('lets a poll continue while the bytes are within the limit, and stops it at the first message over it', async () => {
    const room = new BufferRoom(100, 1_000);
    expect(await poll(room, 32, [400, 600, 1])).toEqual([true, true, false]);
  });

  it('asks for few messages before it knows how large they are', async () => {
    const room = new BufferRoom(100, 8 * 1024 * 1024);
    expect((await room.reserve(32, signal)).count).toBe(4);
  });

  it('uses the decompressed size of messages, not their compressed size', async () => {
    const room = new BufferRoom(100, 1_000);
    const reservation = await room.reserve(32, signal);
    for (let came = 0; came < 3; came++) reservation.add(1, true);
    reservation.close();
    const growth = await room.grow(signal);
    growth.by(300);
    expect((await room.reserve(32, signal)).count).toBe(2);
    growth.end();
  });

  it('does not stop a poll that has received all requested messages', async () => {
    const room = new BufferRoom(100, 1_000);
    const reservation = await room.reserve(32, signal);
    expect(reservation.count).toBe(1);
    expect([reservation.add(2_000), reservation.add(1)]).toEqual([true, false]);
  });

  it('returns the room of messages that are not kept', async () => {
    const room = new BufferRoom(2, 1_000);
    const reservation = await room.reserve(2, signal);
    reservation.add(600);
    reservation.drop();
    reservation.close();
    expect(await poll(room, 2, [300, 300])).toEqual([true, true]);
  });

  it('decompresses one message after another, while the bytes are within the limit', async () => {
    const room = new BufferRoom(100, 1_000);
    await poll(room, 32, [10, 10, 10]);
    const first = await room.grow(signal);
    const second = room.grow(signal);
    expect(await isPending(second)).toBe(true);
    first.by(500);
    (await second).by(700);
    const third = room.grow(signal);
    expect(await isPending(third)).toBe(true);
    expect(await isPending(room.reserve(32, signal))).toBe(true);
    first.end();
    first.end();
    (await third).end();
  });

  it('decompresses one message even if others fill the room, so that it cannot get stuck', async () => {
    const room = new BufferRoom(100, 1_000);
    await poll(room, 32, [2_000]);
    const first = await room.grow(signal);
    first.by(5_000);
    const second = room.grow(signal);
    expect(await isPending(second)).toBe(true);
    first.end();
    await second;
  });

  it('continues after a message that could not be decompressed, and after one that is no longer waited for', async () => {
    const room = new BufferRoom(100, 1_000);
    const first = await room.grow(signal);
    const controller = new AbortController();
    const given = room.grow(controller.signal);
    controller.abort(new Error('stopped'));
    await expect(given).rejects.toThrow('stopped');
    first.end();
    await room.grow(signal);
  });

  it('forgets large messages when small ones arrive', async () => {
    const room = new BufferRoom(100, 1_000);
    await poll(room, 32, [1_000]);
    room.release(1_000, true);
    for (let polls = 0; polls < 40; polls++) {
      await poll(room, 32, [1]);
      room.release(1, true);
    }
    expect((await room.reserve(32, signal)).count).toBe(32);
  });

  it('forgets waiters that stopped waiting', async () => {
    const room = new BufferRoom(1, 1_000);
    const only = await room.reserve(1, signal);
    const controller = new AbortController();
    const given = room.reserve(1, controller.signal);
    controller.abort(new Error('stopped'));
    await expect(given).rejects.toThrow('stopped');
    const next = room.reserve(1, signal);
    only.close();
    expect((await next).count).toBe(1);
  });
});
