import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SpanKind, trace } from '@opentelemetry/api';
import { idOf, linksOf, parentOf, TelemetryBench, traceOf } from '../../../../test/fixtures/telemetry-bench.js';
import { Connection } from '../client/connection.js';
import { SimpleConsumer } from '../consumer/simple/simple-consumer.js';
import type { ReceivedMessage } from '../consumer/simple/simple-receives.js';
import { Producer } from '../producer/producer.js';
import { TestBroker } from '../testing/test-broker.js';
import { openTelemetry } from './open-telemetry.js';

const sdk = new TelemetryBench();
const telemetry = openTelemetry();

beforeAll(() => sdk.register());
afterAll(() => sdk.close());

describe('a simple consumer', () => {
  let broker: TestBroker;
  let connection: Connection;
  let producer: Producer;
  let consumer: SimpleConsumer;

  beforeEach(async () => {
    broker = await TestBroker.start({ manualClock: true, topics: [{ name: 'orders' }], groups: [{ name: 'stock' }] });
    connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    producer = new Producer(connection, { telemetry });
    const subscriptions = [{ topic: 'orders' }];
    consumer = new SimpleConsumer(connection, { consumerGroup: 'stock', subscriptions, telemetry });
    await consumer.start();
    sdk.reset();
  });
  afterEach(async () => {
    await consumer.close();
    await producer.close();
    connection.close();
    await broker.stop();
  });

  async function receive(count: number): Promise<ReceivedMessage[]> {
    const messages: ReceivedMessage[] = [];
    while (messages.length < count) messages.push(...(await consumer.receive({ maxMessages: 8 })));
    return messages;
  }

  const one = async (): Promise<ReceivedMessage> => {
    await producer.send({ topic: 'orders', body: 'secret', keys: ['k'] });
    const [message] = await receive(1);
    if (message === undefined) throw new Error('nothing came');
    return message;
  };

  it('has a span of the receive with a link to each send', async () => {
    for (const body of ['a', 'b']) await producer.send({ topic: 'orders', body });
    await receive(2);
    const receives = sdk.spans.filter(({ name }) => name === 'receive orders');
    const sends = sdk.spans.filter(({ name }) => name === 'send orders');
    expect(receives.flatMap(linksOf).sort()).toEqual(sends.map(idOf).sort());
    expect(receives[0]?.kind).toBe(SpanKind.CLIENT);
    expect(receives[0]?.attributes).toMatchObject({
      'messaging.operation.name': 'receive',
      'messaging.operation.type': 'receive',
      'messaging.destination.name': 'orders',
      'messaging.consumer.group.name': 'stock',
      'messaging.client.id': consumer.clientId,
      'messaging.batch.message_count': linksOf(receives[0] as (typeof receives)[0]).length,
    });
  });

  it('continues the trace of the send in what the application marks as processing of a message', async () => {
    const message = await one();
    let active: string | undefined;
    const result = await trace.getTracer('spec').startActiveSpan('job', async (job) => {
      const done = await telemetry.process(message, async () => {
        await Promise.resolve();
        active = trace.getActiveSpan()?.spanContext().spanId;
        return 'done';
      });
      job.end();
      return done;
    });
    const [sent, process, job] = [sdk.span('send orders'), sdk.span('process orders'), sdk.span('job')];
    expect([result, active, parentOf(process), traceOf(process)]).toEqual([
      'done',
      idOf(process),
      idOf(sent),
      traceOf(sent),
    ]);
    expect(linksOf(process)).toEqual([idOf(sent), idOf(job)]);
    expect([process.kind, process.attributes['messaging.message.id']]).toEqual([SpanKind.CONSUMER, message.messageId]);
    await expect(telemetry.process(message, () => Promise.reject(new RangeError('no')))).rejects.toThrow('no');
    expect(sdk.spans.at(-1)?.attributes['error.type']).toBe('RangeError');
    const own = (await sdk.measured('rocketmq_process_time')).filter(
      ({ labels }) => labels.client_id === consumer.clientId,
    );
    expect(own.map(({ labels, value }) => [labels.invocation_status, value])).toEqual([
      ['success', 1],
      ['failure', 1],
    ]);
  });

  it('has a span for each settlement that links to the send', async () => {
    const message = await one();
    await consumer.changeInvisibleDuration(message, 20_000);
    await consumer.ack(message);
    const again = await one();
    await consumer.ackBatch([again]);
    const [first, second] = sdk.spans.filter(({ name }) => name === 'send orders');
    const change = sdk.span('change_invisible_duration orders');
    const acks = sdk.spans.filter(({ name }) => name === 'ack orders');
    expect([change, ...acks].map(linksOf)).toEqual([first, first, second].map((span) => [span && idOf(span)]));
    expect(acks.map(({ kind, attributes }) => [kind, attributes['messaging.operation.type']])).toEqual(
      Array(2).fill([SpanKind.CLIENT, 'settle']),
    );
  });

  it('records a settlement that was rejected', async () => {
    const message = await one();
    broker.faults.add({ rpc: 'ackMessage', action: { kind: 'answer', code: 'INVALID_RECEIPT_HANDLE' } });
    await expect(consumer.ack(message)).rejects.toThrow();
    expect(sdk.span('ack orders').attributes['error.type']).toBe('INVALID_RECEIPT_HANDLE');
  });

  it('measures the delivery latency of messages', async () => {
    await one();
    const own = (await sdk.measured('rocketmq_delivery_latency')).filter(
      ({ labels }) => labels.client_id === consumer.clientId,
    );
    const labels = { topic: 'orders', client_id: consumer.clientId, consumer_group: 'stock' };
    expect(own).toEqual([{ labels, value: 1 }]);
  });
});
