import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { SocketOutput } from '../../support/socket-output.js';
import { encodeFrame, FrameDecoder, MalformedFrame, type UnnumberedFrame, writeFrame } from './frame.js';

const answer = (opaque: number, body = '', header: Record<string, unknown> = {}): Buffer => {
  const head = Buffer.from(JSON.stringify({ code: 0, opaque, flag: 1, ...header }));
  const prefix = Buffer.alloc(8);
  prefix.writeInt32BE(4 + head.length + Buffer.byteLength(body), 0);
  prefix.writeInt32BE(head.length, 4);
  return Buffer.concat([prefix, head, Buffer.from(body)]);
};

describe('encodeFrame', () => {
  it('writes a frame that the decoder reads back', () => {
    const bytes = encodeFrame({ code: 17, opaque: 7, fields: { topic: 'größe' }, body: Buffer.from([0, 255]) });

    expect(new FrameDecoder().push(bytes)).toEqual([
      {
        code: 17,
        opaque: 7,
        isResponse: false,
        isOneWay: false,
        version: 433,
        language: 'JAVA',
        remark: '',
        fields: { topic: 'größe' },
        body: Buffer.from([0, 255]),
      },
    ]);
  });

  it('lays the frame out as length, header length, header, body', () => {
    const bytes = encodeFrame({ code: 105, opaque: 1, fields: { topic: 't' }, body: Buffer.from('ab') });
    const headerLength = bytes.readInt32BE(4);

    expect(bytes.readInt32BE(0)).toBe(bytes.length - 4);
    expect(JSON.parse(bytes.subarray(8, 8 + headerLength).toString())).toMatchObject({
      code: 105,
      opaque: 1,
      flag: 0,
      language: 'JAVA',
      extFields: { topic: 't' },
    });
    expect(bytes.subarray(8 + headerLength).toString()).toBe('ab');
  });
});

describe('writeFrame', () => {
  const written = (frames: readonly UnnumberedFrame[]): { socket: PassThrough; output: SocketOutput } => {
    const socket = new PassThrough({ highWaterMark: 1024 * 1024 });
    const output = new SocketOutput(socket);
    frames.forEach((frame, index) => {
      writeFrame(output, frame, index);
    });
    return { socket, output };
  };

  it('writes the bytes of encodeFrame, whatever the size of header and body', () => {
    const frames: UnnumberedFrame[] = [
      { code: 310, fields: { text: 'größe "\u0001" \\ 😀', empty: '' }, body: Buffer.from('small') },
      { code: 310, fields: { long: 'ä'.repeat(50_000) }, body: Buffer.alloc(200_000, 7) },
      { code: 34, language: 'NODE_JS' },
      { code: 1, isResponse: true, remark: 'no "such" topic' },
    ];
    const { socket, output } = written(frames);
    output.flush();

    expect(socket.read()).toEqual(Buffer.concat(frames.map((frame, opaque) => encodeFrame({ ...frame, opaque }))));
  });

  it('takes the JSON of fields as the fields', () => {
    const fields = { a: 'größe', i: 'KEYS\u0001one\u0002' };
    const { socket, output } = written([{ code: 310, fields: JSON.stringify(fields) }]);
    output.flush();

    expect(new FrameDecoder().push(socket.read())).toMatchObject([{ code: 310, fields }]);
  });

  it.each([10, 100_000])('writes a body of %d bytes as it was, although its owner changes it', (size) => {
    const body = Buffer.alloc(size, 1);
    const { socket, output } = written([{ code: 310, body }]);
    body.fill(2);
    output.flush();

    expect(new FrameDecoder().push(socket.read())).toMatchObject([{ body: Buffer.alloc(size, 1) }]);
  });
});

describe('encodeFrame for answers', () => {
  it('marks an answer, and a request that expects no answer', () => {
    const frames = [{ isResponse: true, remark: 'no' }, { isOneWay: true }].flatMap((marks) =>
      new FrameDecoder().push(encodeFrame({ code: 1, opaque: 2, ...marks })),
    );

    expect(frames.map(({ isResponse, isOneWay, remark }) => [isResponse, isOneWay, remark])).toEqual([
      [true, false, 'no'],
      [false, true, ''],
    ]);
  });
});

describe('FrameDecoder', () => {
  it('assembles a frame from single bytes', () => {
    const decoder = new FrameDecoder();
    const frames = [...answer(3, 'body')].flatMap((byte) => decoder.push(Buffer.from([byte])));

    expect(frames.map((frame) => [frame.opaque, frame.body.toString()])).toEqual([[3, 'body']]);
  });

  it('reads several frames from one chunk and keeps the beginning of the next', () => {
    const third = answer(3, 'three');
    const decoder = new FrameDecoder();
    const first = decoder.push(Buffer.concat([answer(1, 'one'), answer(2), third.subarray(0, 10)]));
    const second = decoder.push(third.subarray(10));

    expect(first.map((frame) => frame.opaque)).toEqual([1, 2]);
    expect(second.map((frame) => frame.body.toString())).toEqual(['three']);
  });

  it('reads the remark and code of a rejection', () => {
    const [frame] = new FrameDecoder().push(answer(1, '', { code: 17, remark: 'no such topic' }));

    expect(frame).toMatchObject({ code: 17, remark: 'no such topic', isResponse: true });
  });

  it.each([
    ['is larger than the limit', Buffer.from([0, 0, 4, 1]), 'a frame of 1025 bytes (allowed: 4 to 1024)'],
    ['has a negative length', Buffer.from([255, 255, 255, 255]), 'a frame of -1 bytes'],
    ['comes from a server that speaks HTTP', Buffer.from('HTTP/1.1 400 Bad Request'), 'protocol: HTTP/1.1'],
    ['has a header of an unknown kind', Buffer.from([0, 0, 0, 6, 2, 0, 0, 2, 1, 1]), 'serialization 2'],
    ['has a binary header that is too short', Buffer.from([0, 0, 0, 6, 1, 0, 0, 2, 1, 1]), 'ends within a field'],
    ['has a header longer than itself', Buffer.from([0, 0, 0, 6, 0, 0, 0, 9, 1, 1]), 'longer than its frame'],
    ['has a header that is not JSON', Buffer.from([0, 0, 0, 6, 0, 0, 0, 2, 65, 66]), 'not JSON'],
    ['has a header without opaque', answer(0, '', { opaque: 'x' }), 'without code or opaque'],
  ])('rejects a frame that %s', (_, bytes, message) => {
    const push = (): unknown => new FrameDecoder(1024).push(bytes);

    expect(push).toThrow(MalformedFrame);
    expect(push).toThrow(message);
  });

  it('rejects a large frame by its length alone, before its bytes arrive', () => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(2 ** 31 - 1);

    expect(() => new FrameDecoder().push(length)).toThrow('a frame of 2147483647 bytes');
  });
});

describe('a binary header', () => {
  const text = (value: string, lengthBytes: 2 | 4): Buffer => {
    const length = Buffer.alloc(lengthBytes);
    length.writeIntBE(Buffer.byteLength(value), 0, lengthBytes);
    return Buffer.concat([length, Buffer.from(value)]);
  };

  it('is read like one in JSON', () => {
    const ext = Buffer.concat([text('topic', 2), text('größe', 4), text('empty', 2), text('', 4)]);
    const numbers = Buffer.alloc(13);
    numbers.writeUInt16BE(17, 0);
    numbers.writeInt16BE(513, 3);
    numbers.writeInt32BE(9, 5);
    numbers.writeInt32BE(1, 9);
    const extLength = Buffer.alloc(4);
    extLength.writeInt32BE(ext.length);
    const header = Buffer.concat([numbers, text('no topic', 4), extLength, ext]);
    const prefix = Buffer.alloc(8);
    prefix.writeInt32BE(4 + header.length + 2, 0);
    prefix.writeUInt32BE((1 << 24) | header.length, 4);

    expect(new FrameDecoder().push(Buffer.concat([prefix, header, Buffer.from('ab')]))).toEqual([
      {
        code: 17,
        opaque: 9,
        isResponse: true,
        isOneWay: false,
        version: 513,
        language: 'JAVA',
        remark: 'no topic',
        fields: { topic: 'größe', empty: '' },
        body: Buffer.from('ab'),
      },
    ]);
  });
});
