import { describe, expect, it } from '@jest/globals';
import { HeaderDecoder } from './header-decoder.js';
import { HeaderEncoder, type Headers } from './header-encoder.js';

const bytes = (hex: string): Buffer => Buffer.from(hex.replace(/\s/g, ''), 'hex');
const decoded = (decoder: HeaderDecoder, hex: string): Headers => ({ ...decoder.decode(bytes(hex)).headers });
const encoder = (unrepeated: string[] = []): HeaderEncoder => new HeaderEncoder(new Set(unrepeated));

describe('header blocks', () => {
  // The examples of RFC 7541, appendix C.
  it('decodes requests without Huffman codes (C.3)', () => {
    const decoder = new HeaderDecoder(1_000);
    const first = { ':method': 'GET', ':scheme': 'http', ':path': '/', ':authority': 'www.example.com' };
    expect(decoded(decoder, '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d')).toEqual(first);
    expect(decoded(decoder, '8286 84be 5808 6e6f 2d63 6163 6865')).toEqual({ ...first, 'cache-control': 'no-cache' });
    expect(decoded(decoder, '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65')).toEqual({
      ':method': 'GET',
      ':scheme': 'https',
      ':path': '/index.html',
      ':authority': 'www.example.com',
      'custom-key': 'custom-value',
    });
  });

  it('decodes requests with Huffman codes (C.4)', () => {
    const decoder = new HeaderDecoder(1_000);
    const first = { ':method': 'GET', ':scheme': 'http', ':path': '/', ':authority': 'www.example.com' };
    expect(decoded(decoder, '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff')).toEqual(first);
    expect(decoded(decoder, '8286 84be 5886 a8eb 1064 9cbf')).toEqual({ ...first, 'cache-control': 'no-cache' });
    expect(decoded(decoder, '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf')).toMatchObject({
      'custom-key': 'custom-value',
    });
  });

  it('encodes as the examples without Huffman codes', () => {
    const own = encoder(['password']);
    const request = { ':method': 'GET', ':scheme': 'http', ':path': '/', ':authority': 'www.example.com' };
    expect(own.encode([request])).toEqual(bytes('8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d'));
    expect(own.encode([request])).toEqual(bytes('8286 84be'));
    expect(own.encode([{ password: 'secret' }])).toEqual(bytes('0008 7061 7373 776f 7264 0673 6563 7265 74'));
  });

  it('stay readable over thousands of blocks, while fields leave the table and its size changes', () => {
    const own = encoder(['grpc-message']);
    const decoder = new HeaderDecoder(10_000);
    for (let block = 0; block < 3_000; block++) {
      if (block % 700 === 350) own.resize([0, 100, 4_096, 65_536][block % 4] ?? 0);
      const headers: Record<string, string> = {
        ':path': '/apache.rocketmq.v2.MessagingService/SendMessage',
        'x-mq-client-id': `client-${block % 7}`,
        'x-mq-date-time': `2026-01-01T00:00:${block % 60}`,
        'grpc-message': `text ${block}`,
        'x-large': 'x'.repeat((block * 37) % 900),
      };
      expect({ ...decoder.decode(Buffer.from(own.encode([headers]))).headers }).toEqual(headers);
    }
  });

  it('announces the smallest size in between when the table is shrunk and grown again', () => {
    const own = encoder();
    own.encode([{ 'x-a': '1' }]);
    own.resize(0);
    own.resize(4_096);
    expect(own.encode([{ 'x-a': '1' }]).subarray(0, 4)).toEqual(bytes('20 3fe1 1f'));
  });

  it('rejects a value that would be another header elsewhere, without a trace', () => {
    const own = encoder();
    const decoder = new HeaderDecoder(1_000);
    expect(() => own.encode([{ 'x-a': 'kept out' }, { 'x-b': 'one\r\nx-c: two' }])).toThrow('Header "x-b"');
    expect(() => own.encode([{ 'x-b': 'ü' }])).toThrow(TypeError);
    expect({ ...decoder.decode(own.encode([{ 'x-a': 'kept out' }])).headers }).toEqual({ 'x-a': 'kept out' });
    expect({ ...decoder.decode(own.encode([{ 'x-a': 'kept out' }])).headers }).toEqual({ 'x-a': 'kept out' });
  });

  it.each([
    ['an index of nothing', 'be'],
    ['index 0', '80'],
    ['an integer without an end', 'ff ff ff ff ff ff ff ff ff'],
    ['an integer that is too large', 'ff ff ff ff ff 7f'],
    ['a name without its bytes', '40 0a 61'],
    ['a value that is missing', '40 01 61'],
    ['a table that is larger than announced', '3f e2 1f'],
    ['a resize within a block', '82 20'],
    ['Huffman padding that is too long', '40 01 61 82 ff ff'],
    ['Huffman padding of zeros', '40 01 61 81 00'],
    ['the end-of-string code', '40 01 61 84 ff ff ff ff'],
  ])('rejects %s', (_, hex) => {
    expect(() => new HeaderDecoder(1_000).decode(bytes(hex))).toThrow('COMPRESSION_ERROR');
  });

  it.each([
    ['too many bytes', { 'x-a': 'x'.repeat(970) }],
    ['upper case', { 'X-a': '1' }],
    ['a space in a name', { 'x a': '1' }],
    ['a header of HTTP/1', { 'transfer-encoding': 'chunked' }],
    ['another TE', { te: 'gzip' }],
    ['a pseudo-header after a header', { 'x-a': '1', ':path': '/' }],
  ])('rejects a message with %s, and reads the next one', (_, headers) => {
    const own = encoder();
    const decoder = new HeaderDecoder(1_000);
    expect(decoder.decode(Buffer.from(own.encode([headers]))).rejection).toEqual(expect.any(Number));
    const next = decoder.decode(Buffer.from(own.encode([{ 'x-next': 'read' }])));
    expect({ ...next.headers, rejection: next.rejection }).toEqual({ 'x-next': 'read', rejection: undefined });
  });

  it('keeps no more of repeated blocks than a few, and never a stale one', () => {
    const decoder = new HeaderDecoder(1_000);
    const insert = (value: string): string => `40 01 61 01 ${Buffer.from(value).toString('hex')}`;
    decoder.decode(bytes(insert('1')));
    expect(decoded(decoder, 'be')).toEqual({ a: '1' });
    expect(decoded(decoder, 'be')).toEqual({ a: '1' });
    decoder.decode(bytes(insert('2')));
    expect(decoded(decoder, 'be')).toEqual({ a: '2' });
    decoder.decode(bytes('20'));
    expect(() => decoder.decode(bytes('be'))).toThrow('COMPRESSION_ERROR');
  });
});
