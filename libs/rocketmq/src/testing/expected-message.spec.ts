// How a matcher compares what is expected with a message: as the sender passed it, as it is on the wire.

import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { bytesCodec, defineTopic } from '../entries/nest.js';
import '../entries/testing/jest-globals.js';
import { fakeProducer } from '../entries/testing.js';

describe('an expected message', () => {
  it.each<[what: string, sent: unknown, same: unknown, other: unknown]>([
    ['a date', { at: new Date(0) }, { at: new Date(0) }, { at: new Date(1) }],
    ['a date in a matcher', { at: new Date(0), n: 1 }, expect.objectContaining({ at: new Date(0) }), {}],
    ['a date in a list in a matcher', [new Date(0)], expect.arrayContaining([new Date(0)]), []],
    ['a matcher in a matcher', { a: { b: [1] } }, { a: expect.objectContaining({ b: expect.any(Array) }) }, { a: {} }],
    ['the string of a date', { at: new Date(0) }, { at: expect.any(String) }, { at: expect.any(Date) }],
    ['nested bytes', { blob: Buffer.from('hi') }, { blob: Buffer.from('hi') }, { blob: Buffer.from('ho') }],
    ['what JSON leaves out', { x: 1, f() {} }, { x: 1 }, { x: 2 }],
    ['a number that JSON does not have', { x: Number.NaN }, { x: Number.NaN }, { x: 0 }],
    ['an object of a class', new URL('http://shop'), new URL('http://shop'), new URL('http://other')],
    ['toJSON() with a key', { d: { toJSON: (key: string) => key } }, { d: 'd' }, { d: '' }],
  ])('has the body that is sent: %s', async (_what, sent, same, other) => {
    const Any = defineTopic<unknown>('any', { type: 'normal' });
    const fake = fakeProducer();
    await fake.send(Any, sent);
    await expect(fake).toHaveSent(Any, { body: same });
    await expect(fake).not.toHaveSent(Any, { body: other });
  });

  it('is not equal to a body of another type', async () => {
    const Codes = defineTopic<string | number>('codes', { type: 'normal' });
    const fake = fakeProducer();
    await fake.send(Codes, 42);
    await expect(fake).toHaveSent(Codes, { body: 42 });
    await expect(fake).not.toHaveSent(Codes, { body: '42' });
  });

  it('may be text for a topic that is given by name', async () => {
    const fake = fakeProducer();
    await fake.send({ topic: 'texts', body: '{"a":"xyz"}' });
    await expect(fake).toHaveSent('texts', { body: { a: 'xyz' } });
    await expect(fake).toHaveSent('texts', { body: '{"a":"xyz"}' });
    await expect(fake).toHaveSent('texts', { body: expect.stringContaining('xyz') });
    await fake.send({ topic: 'quoted', body: '"a"' });
    await expect(fake).toHaveSent('quoted', { body: 'a' });
    await expect(fake).toHaveSent('quoted', { body: '"a"' });
    await expect(fake).not.toHaveSent('quoted', { body: 'b' });
  });

  it('compares bytes, as a Buffer or not', async () => {
    const Bytes = defineTopic('bytes', { type: 'normal', codec: bytesCodec });
    const fake = fakeProducer();
    await fake.send(Bytes, Buffer.from('abc'));
    await expect(fake).toHaveSent(Bytes, { body: Buffer.from('abc') });
    await expect(fake).toHaveSent(Bytes, { body: Uint8Array.of(97, 98, 99) });
    await expect(fake).toHaveSent(Bytes, { body: expect.any(Uint8Array) });
    await expect(fake).not.toHaveSent(Bytes, { body: Buffer.from('abd') });
  });

  it('does not print or compare what would take minutes', async () => {
    const fake = fakeProducer();
    const size = 1_000_000;
    await fake.send({ topic: 'long', messageId: 'long', body: Buffer.alloc(size, 'a') });
    const text = await expect(fake)
      .toHaveSent('long', { body: Buffer.alloc(size, 'b') })
      .catch((error: Error) => error.message);
    expect(text).toContain('The nearest is long; its body is too long to show the difference.');
    expect((text as string).length).toBeLessThan(2_000);
  });

  it('takes a matcher in place of properties, keys, tag and group', async () => {
    const Placed = defineTopic<{ id: string }>('placed', { type: 'normal' });
    const fake = fakeProducer();
    await fake.send(Placed, { id: '1' }, { properties: { tenant: 'acme', secret: 'x' }, keys: ['k', 'l'], tag: 'new' });
    await expect(fake).toHaveSent(Placed, {
      properties: expect.objectContaining({ tenant: 'acme' }),
      keys: expect.arrayContaining(['l']),
      tag: expect.any(String),
    });
    await expect(fake).toHaveSent(Placed, { properties: expect.not.objectContaining({ secret: 'y' }) });
    await expect(fake).not.toHaveSent(Placed, { properties: expect.objectContaining({ tenant: 'bolt' }) });
    await expect(fake).not.toHaveSent(Placed, { properties: expect.not.objectContaining({ secret: 'x' }) });
    await expect(expect(fake).toHaveDelivered(Placed, { group: expect.any(String) })).rejects.toMatchObject({
      code: 'NOT_OBSERVABLE',
    });
  });

  it('is what the sender passed, also when it changed that afterwards', async () => {
    const Placed = defineTopic<{ id: string }>('placed', { type: 'normal' });
    const fake = fakeProducer();
    const properties = { tenant: 'acme' };
    const keys = ['k'];
    await fake.send(Placed, { id: '1' }, { properties, keys });
    properties.tenant = 'bolt';
    keys[0] = 'changed';
    await expect(fake).toHaveSent(Placed, { properties: { tenant: 'acme' }, keys: ['k'] });
  });

  it('has the fields before a schema has converted them', async () => {
    const Priced = defineTopic('priced', { type: 'normal', schema: z.object({ price: z.coerce.number<string>() }) });
    const fake = fakeProducer();
    await fake.send(Priced, { price: '3' });
    await expect(fake).toHaveSent(Priced, { body: { price: '3' } });
  });
});
