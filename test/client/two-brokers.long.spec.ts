// Two embedded brokers in one process are independent, even with topics of the same name.

import { afterEach, describe, expect, it } from '@jest/globals';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { transport } from '../fixtures/transport.js';

describe('two brokers in one process', () => {
  const ends: (() => Promise<void> | void)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function start() {
    const broker = await TestBroker.start({
      topics: [{ name: 'orders', type: 'normal' }],
      groups: [{ name: 'readers' }],
    });
    ends.push(() => broker.stop());
    const connection = new Connection({ endpoints: broker.endpoints, transport });
    ends.push(() => connection.close());
    const producer = new Producer(connection);
    ends.push(() => producer.close());
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'readers', subscriptions: [{ topic: 'orders' }] });
    ends.push(() => consumer.close());
    await Promise.all([producer.start(), consumer.start()]);
    return { broker, producer, consumer };
  }

  it('keep their messages apart', async () => {
    const [one, other] = [await start(), await start()];
    await one.producer.send({ topic: 'orders', body: 'to the one' });
    await other.producer.send({ topic: 'orders', body: 'to the other' });
    const bodies = async ({ consumer }: typeof one) => (await consumer.receive()).map(({ body }) => body.toString());
    expect([await bodies(one), await bodies(other)]).toEqual([['to the one'], ['to the other']]);
  });

  it('keep their faults apart, and one continues when the other stops', async () => {
    const [one, other] = [await start(), await start()];
    one.broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' } });
    await other.producer.send({ topic: 'orders', body: 'untouched' });
    await expect(one.producer.send({ topic: 'orders', body: 'rejected' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await one.broker.stop();
    await other.producer.send({ topic: 'orders', body: 'still here' });
    expect(
      other.broker
        .messages('orders')
        .map(({ body }) => Buffer.from(body).toString())
        .sort(),
    ).toEqual(['still here', 'untouched']);
  });
});
