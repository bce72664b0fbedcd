import { describe, expect, it } from '@jest/globals';
import { GatheredBytes, kept } from './gathered-bytes.js';

const MEBIBYTE = 1024 * 1024;

describe('gathered bytes', () => {
  it('are copies, so later changes to a chunk have no effect', () => {
    const gathered = new GatheredBytes();
    const piece = Buffer.alloc(1);
    for (const byte of Buffer.from('one by one')) {
      piece[0] = byte;
      gathered.add(piece, 10);
    }
    expect(gathered.length).toBe(10);
    expect(gathered.take().toString()).toBe('one by one');
    expect([gathered.length, gathered.roomBytes]).toEqual([0, 0]);
  });

  it('allocate at most four times the bytes received, and no more than the expected total', () => {
    const gathered = new GatheredBytes();
    for (let given = 1_000; given <= MEBIBYTE; given += 1_000) {
      gathered.add(Buffer.alloc(1_000), MEBIBYTE);
      expect(gathered.roomBytes).toBeGreaterThanOrEqual(given);
      expect(gathered.roomBytes).toBeLessThanOrEqual(Math.min(4 * given, MEBIBYTE));
    }
    gathered.add(Buffer.alloc(1_000), MEBIBYTE);
    expect(gathered.roomBytes).toBeLessThan(2 * MEBIBYTE + 4_000);
  });
});

describe('gathered bytes of a client', () => {
  it('have their place at once, where the total is up to 64 times what has come', () => {
    const gathered = new GatheredBytes('client');
    gathered.add(Buffer.alloc(16_000), MEBIBYTE - 100_000);
    expect(gathered.roomBytes).toBe(MEBIBYTE - 100_000);
  });
});

describe('bytes that are kept', () => {
  it('are a view of what they are most of, and otherwise a copy', () => {
    const whole = Buffer.allocUnsafeSlow(1_000).fill('a');
    expect([500, 499].map((length) => kept(whole.subarray(0, length)).buffer === whole.buffer)).toEqual([true, false]);
    expect(kept(whole.subarray(0, 3)).toString()).toBe('aaa');
  });
});
