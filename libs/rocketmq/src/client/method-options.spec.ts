// Options of start() and close(): a misspelled one is an error, not a wait of the default length.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EmbeddedBroker } from '../broker/embedded-broker.js';
import { PushConsumer } from '../consumer/push-consumer.js';
import { SimpleConsumer } from '../consumer/simple/simple-consumer.js';
import { Producer } from '../producer/producer.js';
import { Connection } from './connection.js';

const broker = new EmbeddedBroker();
let connection: Connection;
beforeAll(async () => {
  await broker.start();
  connection = new Connection({ endpoints: broker.endpoints });
});
afterAll(async () => {
  await connection.close();
  await broker.stop();
});

const CONSUMER = { consumerGroup: 'shop', subscriptions: [{ topic: 'orders' }] };
const closing = {
  producer: () => new Producer(connection),
  'push consumer': () => new PushConsumer(connection, { ...CONSUMER, handler: async () => {} }),
};
const starting = { ...closing, 'simple consumer': () => new SimpleConsumer(connection, CONSUMER) };

describe.each(Object.entries(starting))('start() of a %s', (_, create) => {
  it('refuses unknown and invalid options, and can then be called again', async () => {
    const client = create();
    for (const options of [{ timeoutMS: 5 }, { timeoutMs: '5' }, { timeoutMs: 0 }, { waitForTopics: 1 }, 'soon']) {
      await expect(client.start(options as never)).rejects.toMatchObject({
        code: 'ILLEGAL_OPTION',
        outcome: 'not-sent',
      });
    }
    await client.start({ timeoutMs: 10_000, waitForTopics: false });
    await client.close();
  });
});

describe.each(Object.entries(closing))('close() of a %s', (_, create) => {
  it('refuses unknown and invalid options, and can then be called again', async () => {
    const client = create();
    await client.start();
    for (const options of [{ graceMs: 5 }, { shutdownGraceMs: -1 }, { shutdownGraceMs: '5' }]) {
      await expect(client.close(options as never)).rejects.toMatchObject({ code: 'ILLEGAL_OPTION' });
    }
    await client.close({ shutdownGraceMs: 0 });
  });
});
