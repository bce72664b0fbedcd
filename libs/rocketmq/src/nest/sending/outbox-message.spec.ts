import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { textCodec } from '../messages/body-codecs.js';
import { defineTopic } from '../messages/topic-definition.js';
import { outboxMessage } from './outbox-message.js';

const Moved = defineTopic('moved', { type: 'fifo', schema: z.object({ parcel: z.string(), step: z.coerce.number() }) });

describe('outboxMessage', () => {
  it('contains the input of the topic, encoded, and all fields', async () => {
    const message = await outboxMessage(Moved, { parcel: 'A', step: '1' }, { messageGroup: 'A', keys: ['A'] });
    const body = expect.anything();
    expect(message).toEqual({ topic: 'moved', messageGroup: 'A', keys: ['A'], body });
    expect(JSON.parse(String(message.body))).toEqual({ parcel: 'A', step: '1' });
  });

  it('rejects what does not fit the topic before it is written anywhere', async () => {
    const wrong = { parcel: 'A', step: 'first' };
    await expect(outboxMessage(Moved, wrong, { messageGroup: 'A' })).rejects.toMatchObject({ code: 'INVALID_BODY' });
    // @ts-expect-error: a message group is required
    const ungrouped = outboxMessage(Moved, { parcel: 'A', step: 1 });
    await expect(ungrouped).rejects.toMatchObject({ code: 'MESSAGE_TYPE_MISMATCH' });
    // @ts-expect-error: the topic decides the type of the body
    await expect(outboxMessage(Moved, { step: 1 }, { messageGroup: 'A' })).rejects.toMatchObject({ field: 'body' });
  });

  it('rejects what is no topic, and no options', async () => {
    const create = outboxMessage as (...given: unknown[]) => Promise<unknown>;
    for (const topic of [undefined, null, 5, {}, 'orders', Symbol('a')]) {
      const rejection = { code: 'ILLEGAL_TOPIC', field: 'topic', outcome: 'not-sent' };
      await expect(create(topic, {})).rejects.toMatchObject(rejection);
    }
    const topic = defineTopic('orders', { type: 'normal' });
    for (const options of ['paid', 5, []]) {
      await expect(create(topic, {}, options)).rejects.toMatchObject({ code: 'ILLEGAL_OPTION', field: 'options' });
    }
  });

  it('encodes by the codec of the topic, otherwise by the given one', async () => {
    const Notes = defineTopic<string>('notes', { type: 'normal', codec: textCodec });
    expect(String((await outboxMessage(Notes, 'hello')).body)).toBe('hello');
    const Plain = defineTopic<{ a: number }>('plain', { type: 'normal' });
    const encode = (body: unknown): Buffer => Buffer.from(JSON.stringify(body).toUpperCase());
    const shouting = { encode, decode: () => ({}) };
    expect(String((await outboxMessage(Plain, { a: 1 }, { codec: shouting })).body)).toBe('{"A":1}');
  });
});
