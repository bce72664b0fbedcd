import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { z } from 'zod';
import { ClientBench } from '../../../../test/fixtures/client-bench.js';
import {
  bytesCodec,
  defineRequest,
  defineTopic,
  RocketMQListener,
  RocketMQProducer,
  RocketMQReply,
} from '../entries/nest.js';
import { outboxMessage } from './sending/outbox-message.js';

const bench = ClientBench.ofFile();

const Names = defineTopic<string>('names', { type: 'normal' });
const Checked = defineTopic('checked', { type: 'normal', schema: z.string() });
const Either = defineTopic<string | { readonly a: number }>('either', { type: 'normal' });
const Raw = defineTopic<Uint8Array>('raw', { type: 'normal' });
const Files = defineTopic<Uint8Array>('files', { type: 'normal', codec: bytesCodec });
const Length = defineRequest<string, number>('length');

const received: unknown[] = [];

@Controller()
class Listeners {
  @RocketMQListener(Names, { consumerGroup: 'strings' })
  @RocketMQListener(Checked, { consumerGroup: 'strings', name: 'checked' })
  name(body: string): void {
    received.push(body);
  }

  @RocketMQListener(Either, { consumerGroup: 'strings' })
  either(body: string | { readonly a: number }): void {
    received.push(body);
  }

  @RocketMQListener(Files, { consumerGroup: 'strings' })
  file(body: Uint8Array): void {
    received.push([...body]);
  }

  @RocketMQListener('untyped', { consumerGroup: 'strings' })
  untyped(body: unknown): void {
    received.push(body);
  }

  @RocketMQReply(Length)
  length(text: string): number {
    return text.length;
  }
}

describe('a string sent by the definition of its topic', () => {
  it('arrives as that string, also when it looks like JSON', async () => {
    await bench.server(Listeners);
    const { app, requester } = await bench.asking();
    const producer = app.get(RocketMQProducer);
    await producer.send(Names, 'größe');
    await producer.send(Names, '7');
    await producer.send(Checked, '{"a":1}');
    await producer.send(Either, 'text');
    await producer.send(Either, { a: 1 });
    await producer.sendBatch(Names, [{ body: '' }]);
    await producer.send(await outboxMessage(Names, 'by the outbox'));
    await bench.broker.idle();
    expect(received.splice(0)).toEqual(
      expect.arrayContaining(['größe', '7', '{"a":1}', 'text', { a: 1 }, '', 'by the outbox']),
    );
    await expect(requester.request(Length, '12')).resolves.toBe(2);
  });

  it('is sent as it is by the name of the topic, where the sender may have encoded it', async () => {
    await bench.server(Listeners);
    const { app } = await bench.asking();
    await app.get(RocketMQProducer).send({ topic: 'untyped', body: '{"a":1}' });
    await app.get(RocketMQProducer).send({ topic: 'untyped', body: Buffer.from('"b"') });
    await bench.broker.idle();
    expect(received.splice(0)).toEqual([{ a: 1 }, 'b']);
  });
});

describe('bytes sent by the definition of their topic', () => {
  it('arrive with bytesCodec, and are rejected where JSON is expected', async () => {
    await bench.server(Listeners);
    const { app } = await bench.asking();
    const producer = app.get(RocketMQProducer);
    await producer.send(Files, Buffer.from([0, 255]));
    await bench.broker.idle();
    expect(received.splice(0)).toEqual([[0, 255]]);
    await expect(producer.send(Raw, Buffer.from([1]))).rejects.toMatchObject({
      code: 'INVALID_BODY',
      outcome: 'not-sent',
      message: expect.stringContaining('bytesCodec'),
    });
  });
});
