import { describe, expect, it } from '@jest/globals';
import { http2Frame } from '../../../../tools/wire/http2-frames.js';
import { FrameParser } from './frame-parser.js';
import { CLIENT_PREFACE } from './frames.js';

function parsed(wire: Buffer, chunkBytes: number, hasPreface = false): string[] {
  const seen: string[] = [];
  const data = new Map<number, number>();
  const parser = new FrameParser(
    {
      data(streamId, piece, flowBytes, isEnd) {
        data.set(streamId, (data.get(streamId) ?? 0) + piece.length);
        if (flowBytes !== piece.length) seen.push(`flow ${flowBytes}`);
        if (isEnd) seen.push(`data ${streamId} ${data.get(streamId)}`);
      },
      frame: (type, flags, streamId, payload) => seen.push(`${type} ${flags} ${streamId} ${payload.toString('hex')}`),
    },
    hasPreface,
  );
  for (let start = 0; start < wire.length; start += chunkBytes) parser.push(wire.subarray(start, start + chunkBytes));
  return seen;
}

describe('frames', () => {
  it('are the same however they were split', () => {
    const wire = Buffer.concat([
      CLIENT_PREFACE,
      http2Frame(4, 0, 0, Buffer.alloc(0)),
      http2Frame(1, 4, 1, Buffer.from('aabbcc', 'hex')),
      http2Frame(0, 0, 1, Buffer.alloc(16_384)),
      http2Frame(0, 0, 1, Buffer.alloc(0)),
      http2Frame(0, 1, 1, Buffer.alloc(10)),
      http2Frame(0, 9, 3, Buffer.from([3, 1, 2, 0, 0, 0])),
      http2Frame(0, 1, 5, Buffer.alloc(0)),
      http2Frame(99, 255, 7, Buffer.from('dd', 'hex')),
    ]);
    const whole = parsed(wire, wire.length, true);
    expect(whole).toEqual(['4 0 0 ', '1 4 1 aabbcc', 'data 1 16394', 'flow 6', 'data 3 2', 'data 5 0', '99 255 7 dd']);
    for (const chunkBytes of [1, 2, 8, 9, 10, 25, 1_000]) expect(parsed(wire, chunkBytes, true)).toEqual(whole);
  });

  it.each([
    ['a frame above the limit, by its header alone', Buffer.from('004001000000000001', 'hex'), 'FRAME_SIZE_ERROR'],
    ['more padding than bytes', http2Frame(0, 8, 1, Buffer.from([4, 0, 0, 0])), 'PROTOCOL_ERROR'],
    ['padding without its length', http2Frame(0, 8, 1, Buffer.alloc(0)), 'PROTOCOL_ERROR'],
  ])('reject %s', (_, wire, code) => {
    for (const chunkBytes of [1, 9, 100]) expect(() => parsed(wire, chunkBytes)).toThrow(code);
  });

  it('reject a client that speaks another protocol, at its first byte that differs', () => {
    expect(() => parsed(Buffer.from('PRI * HTTP/1'), 1, true)).toThrow('PROTOCOL_ERROR');
  });
});
