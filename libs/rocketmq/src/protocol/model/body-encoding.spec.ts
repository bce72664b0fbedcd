import { deflateSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { packBody, unpackBody } from './body-encoding.js';

describe('a compressed body', () => {
  const body = Buffer.from('again and again '.repeat(100));

  it('is smaller, and unchanged after decompression', async () => {
    const packed = await packBody(body, 'gzip');
    expect(packed.length).toBeLessThan(body.length / 4);
    expect(await unpackBody(packed, body.length)).toEqual(body);
  });

  it('can be zlib, as clients of the remoting protocol send it', async () => {
    expect(await unpackBody(deflateSync(body), body.length)).toEqual(body);
    await expect(unpackBody(deflateSync(body), body.length - 1)).rejects.toThrow();
  });

  it('that is neither gzip nor zlib is an error', async () => {
    await expect(unpackBody(body, body.length)).rejects.toThrow();
  });

  it('is not decompressed beyond the limit', async () => {
    await expect(unpackBody(await packBody(body, 'gzip'), body.length - 1)).rejects.toThrow();
  });

  it('is smaller at a higher level, or at least no larger', async () => {
    const text = Buffer.from(Array.from({ length: 5_000 }, (_, index) => `line ${index % 97} of ${index}`).join());
    const [fast, small] = await Promise.all([packBody(text, 'zlib', 1), packBody(text, 'zlib', 9)]);
    expect(small.length).toBeLessThanOrEqual(fast.length);
  });
});
