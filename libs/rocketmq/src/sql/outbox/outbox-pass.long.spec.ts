// Messages of an outbox that are sent by a producer with options of its own.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { OutboxBench } from '../../../../../test/fixtures/outbox-bench.js';
import { Connection } from '../../client/connection.js';
import { Producer } from '../../producer/producer.js';
import type { ProducerOptions } from '../../producer/producer-options.js';
import type { SendInterceptor } from '../../producer/sending/interceptors.js';
import { MINUTE_MS } from '../../support/clock.js';
import { TestBroker } from '../../testing/test-broker.js';
import type { OutboxRelay } from './outbox-relay.js';

/** The maximum number of properties in addition to the outbox's own. */
const FULL_PROPERTIES = Object.fromEntries(Array.from({ length: 127 }, (_, index) => [`own${index}`, '1']));

let bench: OutboxBench;
let broker: TestBroker;
let connection: Connection;
let producers: Producer[];

beforeAll(async () => {
  bench = await OutboxBench.open();
});
beforeEach(async () => {
  await bench.begin();
  broker = await TestBroker.start();
  broker.declareTopic({ name: 'orders', type: 'fifo' });
  connection = new Connection({ endpoints: broker.endpoints });
  producers = [];
});
afterEach(async () => {
  await bench.end();
  for (const producer of producers) await producer.close();
  connection.close();
  await broker.stop();
});
afterAll(() => bench.close());

function relayThrough(options: ProducerOptions): OutboxRelay {
  const producer = new Producer(connection, options);
  producers.push(producer);
  return bench.relayWith({ send: (message, more) => producer.send(message, more), maxAttempts: 2 });
}

const delivered = () => broker.messages('orders').map(({ body }) => body.toString());

describe('a message of the outbox with the maximum number of properties', () => {
  beforeEach(async () => {
    await bench.add({ body: 'full', messageGroup: 'a', properties: FULL_PROPERTIES });
    await bench.add({ body: 'next', messageGroup: 'a' });
  });

  const tenant: SendInterceptor = (message, next) =>
    next({ ...message, properties: { ...message.properties, tenant: '7' } });

  it('waits, with its group, while an interceptor adds one to it, and the error says so', async () => {
    await relayThrough({ interceptors: [tenant] }).runOnce();
    expect([await bench.states(), delivered()]).toEqual([['unsent', 'unsent'], []]);
    const { rows } = await bench.database.query('SELECT last_error FROM rocketmq_outbox ORDER BY position LIMIT 1');
    expect(rows).toEqual([{ last_error: expect.stringMatching(/129 entries; the limit is 128.*an interceptor/) }]);
    bench.clock.advanceTo(bench.clock.nowMs() + MINUTE_MS);
    await relayThrough({}).runOnce();
    expect([await bench.states(), delivered()]).toEqual([
      ['sent', 'sent'],
      ['full', 'next'],
    ]);
  });

  it('is parked after its last attempt', async () => {
    const relay = relayThrough({ interceptors: [tenant] });
    for (let attempt = 0; attempt < 2; attempt++) {
      await relay.runOnce();
      bench.clock.advanceTo(bench.clock.nowMs() + MINUTE_MS);
    }
    expect((await bench.states())[0]).toBe('parked');
  });
});

describe('a message of the outbox that a broker stores less safely than it is configured to', () => {
  it.each([
    ['MASTER_PERSISTENCE_TIMEOUT', false],
    ['SLAVE_PERSISTENCE_TIMEOUT', true],
    ['HA_NOT_AVAILABLE', true],
  ] as const)('(%s) is sent once, and so is the next one; requireDurable: %s', async (code, requireDurable) => {
    for (const body of ['1', '2']) await bench.add({ body, messageGroup: 'a' });
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code, message: 'stored, not yet safe' } });
    const reported: string[] = [];
    const events = { onLessDurable: ({ topic }: { topic: string }) => void reported.push(topic) };
    const relay = relayThrough({ requireDurable, events });
    await relay.runOnce();
    bench.clock.advanceTo(bench.clock.nowMs() + MINUTE_MS);
    await relay.runOnce();
    expect([await bench.states(), delivered(), reported]).toEqual([['sent', 'sent'], ['1', '2'], ['orders']]);
  });
});
