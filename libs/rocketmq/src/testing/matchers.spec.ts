// The matchers in Jest; test/runners has them in Vitest and on the globals of Jest.

import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { Connection, PushConsumer, SimpleConsumer } from '../entries/client.js';
import { defineTopic, textCodec } from '../entries/nest.js';
import { useTestBroker } from '../entries/testing/jest-globals.js';
import { fakeProducer } from '../entries/testing.js';
import { Producer } from '../producer/producer.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';

interface Order {
  readonly id: string;
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[];
}
const Placed = defineTopic<Order>('placed', { type: 'normal' });
const Due = defineTopic<{ id: string }>('due', { type: 'delay' });
const lamp = { id: '1', lines: [{ sku: 'lamp', quantity: 2 }] };

/** What a failing matcher prints, without colors. */
async function printed(assertion: Promise<void>): Promise<string> {
  const message = await assertion.then(
    () => 'it passed',
    (error: Error) => error.message,
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colors are control characters
  return message.replace(/\x1b\[\d+m/g, '');
}

describe('matchers of a broker', () => {
  const broker = useTestBroker({ manualClock: true });

  async function connect(): Promise<{ connection: Connection; producer: Producer }> {
    const { endpoints, clock } = broker();
    const connection = broker().closeLater(new Connection({ endpoints, clock }));
    const producer = broker().closeLater(new Producer(connection));
    await producer.start();
    return { connection, producer };
  }

  async function consume(connection: Connection, group: string, handle: (text: string) => void): Promise<void> {
    const consumer = broker().closeLater(
      new PushConsumer(connection, {
        consumerGroup: group,
        subscriptions: [{ topic: 'placed' }],
        maxAttempts: 2,
        backoff: { kind: 'customized', nextMs: [10 * SECOND_MS] },
        handler: (message) => handle(message.body.toString()),
      }),
    );
    await consumer.start();
  }

  it('find a sent message by body, properties, keys and tag, whole or by asymmetric matchers', async () => {
    const { producer } = await connect();
    await producer.send({
      topic: 'placed',
      body: JSON.stringify(lamp),
      keys: ['1'],
      tag: 'new',
      properties: { tenant: 'acme', region: 'eu' },
    });
    await expect(broker()).toHaveSent(Placed);
    await expect(broker()).toHaveSent(Placed, { body: lamp, keys: ['1'], tag: 'new', times: 1 });
    await expect(broker()).toHaveSent(Placed, { properties: { tenant: 'acme' } });
    await expect(broker()).toHaveSent(Placed, {
      body: expect.objectContaining({ lines: [{ sku: expect.any(String), quantity: 2 }] }),
      properties: { tenant: expect.stringMatching(/^ac/) },
    });
    await expect(broker()).toHaveSent('placed', { body: JSON.stringify(lamp) });
    await expect(broker()).toHaveSent('placed', { body: Buffer.from(JSON.stringify(lamp)) });
    await expect(broker()).not.toHaveSent(Placed, { body: { id: '1', lines: [] } });
    await expect(broker()).not.toHaveSent(Placed, { properties: { tenant: 'bolt' } });
    await expect(broker()).not.toHaveSent(Placed, { times: 2 });
    await expect(broker()).not.toHaveSent(Due);
  });

  it('count a message that is sent twice twice, also with one id', async () => {
    const { producer } = await connect();
    for (const _ of [1, 2]) await producer.send({ topic: 'placed', messageId: 'same-id', body: '{}' });
    await expect(broker()).toHaveSent(Placed, { times: 2 });
  });

  it('take a delayed message as sent, and as delivered only after its time', async () => {
    const { connection, producer } = await connect();
    const consumer = broker().closeLater(
      new SimpleConsumer(connection, { consumerGroup: 'mailer', subscriptions: [{ topic: 'due' }] }),
    );
    await consumer.start();
    await producer.send({ topic: 'due', body: '{"id":"1"}', delayMs: MINUTE_MS });
    await expect(broker()).toHaveSent(Due, { body: { id: '1' } });
    const text = await printed(expect(broker()).toHaveDelivered(Due));
    expect(text).toMatch(/"id": "1"\}: delayed until/);
    expect(text).toMatch(/Due later, so only after advance\(\): delayed of \S+ on "due" in 60000 ms\./);
    await broker().advance(MINUTE_MS);
    await expect(broker()).not.toHaveDelivered(Due);
    const [message] = await consumer.receive();
    if (message !== undefined) await consumer.ack(message);
    await expect(broker()).toHaveDelivered(Due, { group: 'mailer', times: 1 });
  });

  it('distinguish delivered, retried and dead-lettered messages of each group', async () => {
    const { connection, producer } = await connect();
    await consume(connection, 'shipping', () => {});
    await consume(connection, 'billing', (text) => {
      if (text.includes('broken')) throw new Error('cannot bill');
    });
    await producer.send({ topic: 'placed', body: JSON.stringify(lamp) });
    await producer.send({ topic: 'placed', body: JSON.stringify({ ...lamp, id: 'broken' }) });
    await expect(broker()).toHaveDelivered(Placed, { times: 2 });
    await expect(broker()).toHaveDelivered(Placed, { group: 'shipping', times: 2 });
    await expect(broker()).toHaveDelivered(Placed, { group: 'billing', body: lamp, times: 1 });
    await expect(broker()).not.toHaveDeadLettered(Placed);
    const text = await printed(
      expect(broker()).toHaveDelivered(Placed, { group: 'billing', body: { ...lamp, id: 'broken' } }),
    );
    expect(text).toContain('group billing: attempt 1, due again in 10000 ms');
    await broker().advance(10 * SECOND_MS);
    await expect(broker()).toHaveDeadLettered(Placed, { group: 'billing', body: { ...lamp, id: 'broken' }, times: 1 });
    await expect(broker()).not.toHaveDeadLettered(Placed, { group: 'shipping' });
    await expect(broker()).not.toHaveDelivered(Placed, { group: 'billing', body: { ...lamp, id: 'broken' } });
  });

  it('print what there is, and what differs from the nearest message', async () => {
    const { connection, producer } = await connect();
    await consume(connection, 'shipping', () => {});
    await producer.send({ topic: 'placed', messageId: 'far', body: '{"id":"9","lines":[]}' });
    await producer.send({ topic: 'placed', messageId: 'near', body: JSON.stringify(lamp) });
    const expected = { id: '1', lines: [{ sku: expect.any(String), quantity: 3 }] };
    const text = await printed(
      expect(broker()).toHaveDelivered(Placed, { group: 'shipping', body: expected, times: 1 }),
    );
    expect(text).toContain('expect(broker).toHaveDelivered("placed")');
    expect(text).toContain('Expected 1 message delivered and acknowledged from "placed" with');
    expect(text).toContain('far {"id": "9", "lines": []}: group shipping: attempt 1, acknowledged');
    expect(text).toContain('The nearest is near:');
    expect(text).toMatch(/-\s+"quantity": 3,\n\+\s+"quantity": 2,\n\s+"sku": "lamp",/);
    expect(text).toMatch(/Looked at \S+Z, after everything that can happen by then. Nothing is due later\.$/);
  });

  it('print what .not has found', async () => {
    const { producer } = await connect();
    await producer.send({ topic: 'placed', messageId: 'found', body: JSON.stringify(lamp) });
    const text = await printed(expect(broker()).not.toHaveSent(Placed, { body: lamp }));
    expect(text).toContain('Expected no message sent to "placed"');
    expect(text).toContain('* found {"id": "1"');
    expect(text).toContain('not delivered to any group');
    expect(await printed(expect(broker()).not.toHaveSent(Placed, { times: 1 }))).toContain(
      'Expected any number but 1 message sent to "placed"; found 1.',
    );
  });

  it('wait for a handler, and reject when it does not end', async () => {
    const { connection, producer } = await connect();
    let end = (): void => {};
    const isOver = new Promise<void>((resolve) => {
      end = resolve;
    });
    const consumer = broker().closeLater(
      new PushConsumer(connection, {
        consumerGroup: 'slow',
        subscriptions: [{ topic: 'placed' }],
        handler: () => isOver,
      }),
    );
    await consumer.start();
    await producer.send({ topic: 'placed', body: '{}' });
    await expect(expect(broker()).not.toHaveDelivered(Placed)).rejects.toMatchObject({
      code: 'NOT_QUIET',
      message: expect.stringMatching(/group slow.*await broker\.idle\(\{ guardMs \}\) with a longer guardMs before/),
    });
    const delivered = expect(broker()).toHaveDelivered(Placed, { group: 'slow' });
    end();
    await delivered;
  });

  it('compare bodies as they are on the wire', async () => {
    const { producer } = await connect();
    const Reminded = defineTopic<{ at: Date; note?: string }>('reminded', { type: 'normal' });
    const at = new Date('2026-01-02T03:04:05Z');
    await producer.send({ topic: 'reminded', body: JSON.stringify({ at }) });
    await expect(broker()).toHaveSent(Reminded, { body: { at, note: undefined } });
    const Said = defineTopic<string>('said', { type: 'normal', codec: textCodec });
    await producer.send({ topic: 'said', body: '42' });
    await expect(broker()).toHaveSent(Said, { body: '42' });
    await expect(broker()).toHaveSent('said', { body: 42 });
    await producer.send({ topic: 'said', body: 'not JSON' });
    await expect(broker()).toHaveSent('said', { body: 'not JSON' });
  });

  it('reject wrong arguments before they look', async () => {
    const wrong = (assertion: Promise<void>) => expect(assertion).rejects;
    await wrong(expect({}).toHaveSent(Placed)).toMatchObject({ code: 'NOT_OBSERVABLE' });
    await wrong(expect(broker()).toHaveSent('')).toMatchObject({ code: 'ILLEGAL_TOPIC', field: 'topic' });
    await wrong(expect(broker()).toHaveSent(undefined as never)).toMatchObject({ code: 'ILLEGAL_TOPIC' });
    await wrong(expect(broker()).toHaveSent(Placed, { times: -1 })).toMatchObject({
      code: 'ILLEGAL_OPTION',
      field: 'times',
    });
    await wrong(expect(broker()).toHaveSent(Placed, { group: 'shipping' } as never)).toMatchObject({ field: 'group' });
    await wrong(expect(broker()).toHaveDelivered(Placed, { grup: 'shipping' } as never)).toMatchObject({
      field: 'grup',
    });
  });

  it('have types of the topic', () => {
    const typed = (): void => {
      // @ts-expect-error no field of an order
      void expect(broker()).toHaveSent(Placed, { body: { id: '1', lines: [], total: 3 } });
      // @ts-expect-error not a string
      void expect(broker()).toHaveDelivered(Placed, { body: { id: 1, lines: [] } });
      void expect(broker()).toHaveSent(Placed, { body: { id: expect.anything(), lines: [expect.anything()] } });
      const Priced = defineTopic('priced', { type: 'normal', schema: z.object({ price: z.coerce.number<string>() }) });
      void expect(broker()).toHaveDeadLettered(Priced, { body: { price: '3' }, group: 'tills' });
      // @ts-expect-error what a sender passes is a string
      void expect(broker()).toHaveSent(Priced, { body: { price: 3 } });
    };
    expect(typed).toBeDefined();
  });
});

describe('toHaveSent of a fake producer', () => {
  it('finds what was sent and not recalled', async () => {
    const fake = fakeProducer();
    await fake.send(Placed, lamp, { keys: ['1'] });
    await expect(fake).toHaveSent(Placed, { body: lamp, keys: ['1'], times: 1 });
    await expect(fake).not.toHaveSent(Due);
    const receipt = await fake.send(Due, { id: '1' }, { delayMs: MINUTE_MS });
    await expect(fake).toHaveSent(Due);
    await fake.recall(receipt);
    await expect(fake).not.toHaveSent(Due);
    expect(await printed(expect(fake).toHaveSent(Due))).toContain('recalled');
    await expect(expect(fake).toHaveDelivered(Placed)).rejects.toMatchObject({ code: 'NOT_OBSERVABLE' });
  });

  it('decodes bodies with the codec of the producer', async () => {
    const reversed = (text: string): string => [...text].reverse().join('');
    const fake = fakeProducer({
      codec: {
        encode: (body) => Buffer.from(reversed(JSON.stringify(body))),
        decode: (bytes) => JSON.parse(reversed(bytes.toString())),
      },
    });
    await fake.send(Placed, lamp);
    await expect(fake).toHaveSent(Placed, { body: lamp });
  });
});
