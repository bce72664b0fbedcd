import { describe, expect, it } from '@jest/globals';
import { FrameReader, frame } from './framing.js';

const messages = ['', 'a', 'bb'.repeat(500)].map((text) => Buffer.from(text));
const wire = Buffer.concat(messages.map((message) => frame(message)));

describe('framing', () => {
  it('assembles messages however they were split', () => {
    for (const size of [1, 2, 3, 4, 5, 6, 7, 100, wire.length]) {
      const reader = new FrameReader(1_000);
      const read: Buffer[] = [];
      for (let start = 0; start < wire.length; start += size) {
        read.push(...reader.push(wire.subarray(start, start + size)));
        if (start + size < wire.length && read.length < 3) continue;
        expect(reader.isInMessage).toBe(false);
      }
      expect(read).toEqual(messages);
    }
  });

  it('reports when it is in the middle of a message', () => {
    const reader = new FrameReader(1_000);
    expect(reader.isInMessage).toBe(false);
    reader.push(frame(Buffer.from('abc')).subarray(0, 6));
    expect(reader.isInMessage).toBe(true);
  });

  it('keeps no chunk of an incomplete message, and little more memory than its bytes', () => {
    const reader = new FrameReader(1_000_000);
    const piece = Buffer.alloc(1);
    const bytes = frame(Buffer.alloc(100_000, 7));
    const read: Buffer[] = [];
    for (const [index, byte] of bytes.entries()) {
      piece[0] = byte;
      read.push(...reader.push(piece));
      expect(reader.heldBytes).toBeLessThanOrEqual(Math.max(4 * (index + 1), 256));
    }
    expect(read).toEqual([Buffer.alloc(100_000, 7)]);
    expect(reader.heldBytes).toBe(0);
  });

  it('copies the message that the end of a chunk splits, and reads the others where they are', () => {
    const reader = new FrameReader(1_000);
    const chunk = Buffer.concat([wire.subarray(100), wire]);
    const read = [...reader.push(wire.subarray(0, 100)), ...reader.push(chunk)];
    expect(read).toEqual([...messages, ...messages]);
    const long = read.filter(({ length }) => length === 1_000);
    expect(long.map(({ buffer }) => buffer === chunk.buffer)).toEqual([false, true]);
  });

  it('rejects a message over the limit by its prefix alone, a compressed one and unknown flags', () => {
    const rejection = (bytes: number[]) => {
      try {
        new FrameReader(10).push(Buffer.from(bytes));
      } catch (error) {
        return (error as { status: string }).status;
      }
      return 'taken';
    };
    expect(rejection([0, 0, 0, 0, 11])).toBe('resourceExhausted');
    expect(rejection([0, 255, 255, 255, 255])).toBe('resourceExhausted');
    expect(rejection([1, 0, 0, 0, 1, 0])).toBe('unimplemented');
    expect(rejection([71, 69, 84, 32, 47])).toBe('internal');
    expect(rejection([0, 0, 0, 0, 10])).toBe('taken');
  });
});
