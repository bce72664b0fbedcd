import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { MessageView } from '../../protocol/model/message.js';
import { type BodyCodec, bytesCodec, exactJsonCodec, jsonCodec, textCodec } from './body-codecs.js';
import { InvalidBodyError } from './invalid-body.js';
import { decodeMessage, encodeBody } from './message-body.js';
import { defineRequest } from './request-definition.js';
import { deadLettersOf, defineTopic, type TopicDefinition, toTopicDefinition } from './topic-definition.js';

const plain = toTopicDefinition('plain');
const Order = defineTopic('order', {
  type: 'normal',
  schema: z.object({ id: z.string(), dueAt: z.iso.datetime().transform((text) => new Date(text)) }),
});

const fail = (): never => {
  throw new Error('it was not rejected');
};

const received = (body: string | Buffer): MessageView =>
  ({ topic: 'order', messageId: 'ID1', properties: {}, body: Buffer.from(body as string) }) as MessageView;

async function decodedBody(topic: TopicDefinition, message: MessageView, codec: BodyCodec): Promise<unknown> {
  return (await decodeMessage(topic, message, { codec })).body;
}

describe('a body to send', () => {
  it('stays unchanged when it is bytes or a string, and is JSON otherwise', async () => {
    const bytes = Buffer.from([0, 255]);
    expect(await encodeBody(plain, bytes, jsonCodec)).toBe(bytes);
    expect(await encodeBody(plain, 'größe', jsonCodec)).toBe('größe');
    expect(Buffer.from(await encodeBody(plain, { id: 1 }, jsonCodec)).toString()).toBe('{"id":1}');
  });

  it('is sent as passed, not as the schema transforms it', async () => {
    const body = { id: 'a', dueAt: '2026-01-01T00:00:00Z' };
    expect(Buffer.from(await encodeBody(Order, body, jsonCodec)).toString()).toBe(JSON.stringify(body));
  });

  it('is rejected with an error that names the topic and the field, but not the body, when it does not fit the schema', async () => {
    const rejected = encodeBody(Order, { id: 7, dueAt: 'secret' }, jsonCodec);
    await expect(rejected).rejects.toThrow(/INVALID_BODY.*"order".*id: .*; dueAt: /);
    await expect(rejected).rejects.not.toThrow(/secret/);
  });

  it('is rejected when it has no JSON form', async () => {
    await expect(encodeBody(plain, undefined, jsonCodec)).rejects.toThrow(/INVALID_BODY.*"plain".*undefined/);
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    await expect(encodeBody(plain, circular, jsonCodec)).rejects.toThrow(/INVALID_BODY/);
  });

  it.each([Buffer.from('x'), new ArrayBuffer(1), new Uint16Array(1)])(
    'is rejected when JSON would hold no bytes',
    async (bytes) => {
      const typed = defineTopic('typed', { type: 'normal' });
      await expect(encodeBody(typed, bytes, jsonCodec)).rejects.toThrow(/INVALID_BODY.*bytes have no JSON form/);
    },
  );

  it('is encoded by the codec of its topic', async () => {
    const text = defineTopic('text', { type: 'normal', codec: textCodec });
    await expect(encodeBody(text, { id: 1 }, jsonCodec)).rejects.toThrow(/must be a string/);
    await expect(encodeBody(deadLettersOf('g'), 1, jsonCodec)).rejects.toThrow(/must be a Buffer/);
  });
});

describe('a received body', () => {
  it('is the output of the schema', async () => {
    const message = received('{"id":"a","dueAt":"2026-01-01T00:00:00Z"}');
    expect(await decodedBody(Order, message, jsonCodec)).toEqual({ id: 'a', dueAt: new Date('2026-01-01T00:00:00Z') });
  });

  it('is invalid when it cannot be decoded, and the error contains nothing of it', async () => {
    const error: Error = await decodedBody(Order, received('{"secret'), jsonCodec).then(fail, (reason) => reason);
    expect(error).toBeInstanceOf(InvalidBodyError);
    expect(error.message).toMatch(/ID1.*"order".*8 bytes cannot be decoded/);
    expect(error.message).not.toMatch(/secret/);
    expect(error.cause).toBeUndefined();
  });

  it('is invalid when it does not fit the schema', async () => {
    await expect(decodedBody(Order, received('{"id":7}'), jsonCodec)).rejects.toThrow(/ID1.*"order".*schema \(id: /);
  });

  it('is text or bytes by the codec', async () => {
    const text = defineTopic('text', { type: 'normal', codec: textCodec });
    expect(await decodedBody(text, received('größe'), jsonCodec)).toBe('größe');
    expect(await decodedBody(plain, received('x'), bytesCodec)).toEqual(Buffer.from('x'));
  });
});

describe('a received body in another charset', () => {
  const text = defineTopic('text', { type: 'normal', codec: textCodec });
  const latin = Buffer.from('{"name":"Jos\u00e9"}', 'latin1');

  it.each([
    ['JSON', plain],
    ['text', text],
  ])('is invalid with its reason, as %s', async (_, topic) => {
    const error: Error = await decodedBody(topic, received(latin), jsonCodec).then(fail, (reason) => reason);
    expect(error).toBeInstanceOf(InvalidBodyError);
    expect(error.message).toMatch(/15 bytes cannot be decoded: it is not UTF-8/);
    expect(error.message).not.toMatch(/Jos/);
  });

  it('is decoded without its byte order mark', async () => {
    expect(await decodedBody(plain, received('\ufeff{"id":1}'), jsonCodec)).toEqual({ id: 1 });
    expect(await decodedBody(text, received('\ufeffone'), jsonCodec)).toBe('one');
  });

  it('is bytes with bytesCodec, whatever they are', async () => {
    expect(await decodedBody(plain, received(latin), bytesCodec)).toEqual(latin);
  });
});

describe('textCodec', () => {
  it('rejects half of a character, which would be sent as another one', async () => {
    const text = defineTopic('text', { type: 'normal', codec: textCodec });
    const rejected = {
      name: 'UsageError',
      field: 'body',
      message: expect.stringContaining('contains half of a character'),
    };
    await expect(encodeBody(text, 'a\ud83d', jsonCodec)).rejects.toMatchObject(rejected);
    expect(Buffer.from(await encodeBody(text, '😀', jsonCodec)).toString()).toBe('😀');
  });
});

describe('exactJsonCodec', () => {
  const id = 1_790_000_000_000_000_001n;
  const body = `{"id":${id},"list":[${-id},1],"small":7,"price":0.1,"text":"${id}"}`;
  const bigints = exactJsonCodec({ largeIntegers: 'bigint' });

  it('keeps 64-bit integers as bigint or as a string of digits', () => {
    const others = { small: 7, price: 0.1, text: String(id) };
    expect(bigints.decode(Buffer.from(body))).toEqual({ id, list: [-id, 1], ...others });
    const strings = exactJsonCodec({ largeIntegers: 'string' });
    expect(strings.decode(Buffer.from(body))).toEqual({ id: String(id), list: [String(-id), 1], ...others });
  });

  it('sends a bigint as an integer, and nothing else differently', () => {
    const value = bigints.decode(Buffer.from(body));
    expect(Buffer.from(bigints.encode(value)).toString()).toBe(body);
    expect(Buffer.from(bigints.encode(2n ** 63n - 1n)).toString()).toBe('9223372036854775807');
    const plainBody = { at: new Date(0), none: undefined, text: '"1"' };
    expect(Buffer.from(bigints.encode(plainBody)).toString()).toBe(JSON.stringify(plainBody));
  });

  it('rejects what JSON rejects', () => {
    expect(() => bigints.encode(undefined)).toThrow(/undefined has no JSON form/);
    expect(() => bigints.encode(Buffer.from('x'))).toThrow(/bytes have no JSON form/);
    for (const text of ['{1:2}', `{"id":${id},}`, '{{"a":1}:2}', '', 'NaN', `${id}n`]) {
      expect(() => bigints.decode(Buffer.from(text))).toThrow('it is not JSON');
    }
    // @ts-expect-error: a number is what rounds them.
    expect(() => exactJsonCodec({ largeIntegers: 'number' })).toThrow(/ILLEGAL_OPTION/);
    // @ts-expect-error: which of the two is the application's choice.
    expect(() => exactJsonCodec()).toThrow('ILLEGAL_OPTION');
    // @ts-expect-error: what comes is not known before it is checked.
    expect(bigints.decode(Buffer.from('{"id":1}')).id).toBe(1);
  });

  it('reads what JSON.parse reads, however deep it is nested', () => {
    const depth = 100_000;
    const deep = `${'['.repeat(depth)}{"a":{"id":${id}},"b":1}${']'.repeat(depth)}`;
    let value: unknown = bigints.decode(Buffer.from(deep));
    while (Array.isArray(value)) [value] = value;
    expect(value).toEqual({ a: { id }, b: 1 });
  });

  it.each([
    `{"a\\\\":"\\"${id}","b":"\\\\\\"${id}","${id}":1,"c":[]}`,
    '[0.12345678901234567890,1e1234567890123456,-1.5e-1234567890123456,1234567890123456,-0,9007199254740991,null,true]',
    ' [ { } , [ ] , "" , "1234567890123456789" ] ',
  ])('leaves alone what is no integer beyond 2^53: %s', (text) => {
    expect(bigints.decode(Buffer.from(text))).toEqual(JSON.parse(text));
  });

  it('keeps own keys of any name, and the last of two', () => {
    const text = `{"__proto__":${id},"a":1,"constructor":{"__proto__":{"x":${id}}},"a":${id}}`;
    const value = bigints.decode(Buffer.from(text)) as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['__proto__', 'a', 'constructor']);
    expect(Object.values(value).slice(0, 2)).toEqual([id, id]);
    expect(Object.entries(value.constructor as object)).toEqual([['__proto__', { x: id }]]);
  });

  it('names the limit of digits', () => {
    const digits = '9'.repeat(40);
    expect(bigints.decode(Buffer.from(`[-${digits}]`))).toEqual([-BigInt(digits)]);
    const error = 'it has an integer of 41 digits; the limit is 40';
    expect(() => bigints.decode(Buffer.from(`[${digits}9]`))).toThrow(error);
  });

  it('gives a schema what makes all ids alike', async () => {
    const Event = defineTopic('event', { type: 'normal', codec: bigints, schema: z.object({ id: z.coerce.bigint() }) });
    expect(await decodedBody(Event, received(`{"id":${id}}`), jsonCodec)).toEqual({ id });
    expect(await decodedBody(Event, received('{"id":5}'), jsonCodec)).toEqual({ id: 5n });
  });
});

describe('defineTopic', () => {
  it('rejects illegal names and types', () => {
    expect(() => defineTopic('a b', { type: 'normal' })).toThrow(/ILLEGAL_TOPIC.*"a b"/);
    expect(() => defineTopic('a', { type: 'ordered' as 'fifo' })).toThrow(/normal, fifo, delay, transaction/);
  });

  it('rejects unknown options, and what is none', () => {
    const define = defineTopic as (name?: unknown, options?: unknown) => void;
    expect(() => define('a', { type: 'normal', shcema: z.string() })).toThrow(
      expect.objectContaining({
        code: 'ILLEGAL_OPTION',
        field: 'shcema',
        message: expect.stringContaining('topic "a"'),
      }),
    );
    for (const options of [undefined, null, 'normal']) expect(() => define('a', options)).toThrow('ILLEGAL_OPTION');
    for (const name of [undefined, null, Symbol('a'), 1n]) expect(() => define(name)).toThrow('ILLEGAL_TOPIC');
    const request = defineRequest as (pattern?: unknown, options?: unknown) => void;
    expect(() => request('a', { reqeust: z.string() })).toThrow('option reqeust is unknown');
    expect(() => request('a', null)).toThrow('ILLEGAL_OPTION');
    for (const pattern of [undefined, Symbol('a'), 1n]) expect(() => request(pattern)).toThrow('ILLEGAL_PATTERN');
  });

  it('names the dead letters of a group', () => {
    expect(deadLettersOf('mine').name).toBe('%DLQ%mine');
    expect(() => deadLettersOf('a b')).toThrow(/ILLEGAL_CONSUMER_GROUP/);
  });
});
