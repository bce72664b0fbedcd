import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { INVALID_SPAN_CONTEXT, metrics, ProxyTracerProvider, type Tracer } from '@opentelemetry/api';
import { ConsumerBench, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { TelemetryBench } from '../../../../test/fixtures/telemetry-bench.js';
import type { ObservedConsumer } from '../consumer/model/consumer-telemetry.js';
import { Producer } from '../producer/producer.js';
import { SECOND_MS } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import { type OpenTelemetryOptions, openTelemetry } from './open-telemetry.js';

const observed = {} as ObservedConsumer;

describe('openTelemetry()', () => {
  let bench: ConsumerBench;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
  });
  afterEach(() => bench.close());

  it('observes nothing while no SDK is registered: sends and handlers run as without it', async () => {
    const telemetry = openTelemetry();
    expect(telemetry.producer(observed)).toBeUndefined();
    expect(telemetry.pushConsumer(observed)).toBeUndefined();
    expect(telemetry.simpleConsumer(observed)).toBeUndefined();
    const message = { topic: 'orders', body: 'a' };
    expect(telemetry.outboxMessage(message)).toBe(message);
    telemetry.inboxHit('stock');
    const producer = new Producer(bench.connection, { telemetry });
    await producer.send(message);
    await producer.close();
    await bench.consume(bench.journalled, { telemetry });
    await bench.broker.idle();
    expect(bench.journal.lines).toEqual(['a 1']);
    expect(bench.broker.messages('orders').map(({ properties }) => properties)).toEqual([{}]);
  });

  it('observes clients that are created after the SDK was registered, although it was called before', () => {
    const provider = new ProxyTracerProvider();
    const telemetry = openTelemetry({ tracerProvider: provider });
    expect(telemetry.producer(observed)).toBeUndefined();
    provider.setDelegate(new ProxyTracerProvider());
    expect(telemetry.producer(observed)).toBeDefined();
  });

  it('affects neither sends nor handlers nor transactions when spans fail', async () => {
    const fail = (): never => {
      throw new Error('this span is broken');
    };
    const broken = {
      spanContext: () => INVALID_SPAN_CONTEXT,
      isRecording: () => true,
      setAttribute: fail,
      setAttributes: fail,
    };
    const span = { ...broken, setStatus: fail, end: fail, addEvent: fail, addLinks: fail, recordException: fail };
    const tracer = { startSpan: () => span, startActiveSpan: fail } as unknown as Tracer;
    const telemetry = openTelemetry({ tracerProvider: { getTracer: () => tracer } });
    await bench.consume(
      async (message) => {
        bench.journal.add(`${textOf(message)} ${message.deliveryAttempt}`);
        if (message.deliveryAttempt === 1) throw new Error('again');
      },
      { telemetry },
    );
    bench.broker.declareTopic({ name: 'payments', type: 'transaction' });
    const answers: ('unknown' | 'commit')[] = ['unknown', 'commit'];
    const producer = new Producer(bench.connection, {
      telemetry,
      transactionCheckers: { payments: () => answers.shift() },
    });
    await producer.start();
    await producer.send({ topic: 'orders', body: 'a' });
    await bench.broker.advance(SECOND_MS);
    const message = { topic: 'payments', body: 'p' };
    const done = await producer.transact({ message }, async () => 'done').catch((error: unknown) => error);
    await producer.transact({ message }, () => Promise.reject(new Error('no'))).catch(() => {});
    await bench.broker.advance(10 * SECOND_MS);
    await producer.close();
    expect([bench.journal.lines, done, answers]).toEqual([['a 1', 'a 2'], 'done', []]);
    expect(bench.broker.messages('payments')).toHaveLength(2);
  });

  it('measures where an SDK for metrics only is registered, and leaves messages unchanged', async () => {
    const sdk = new TelemetryBench();
    sdk.registerMeters();
    const telemetry = openTelemetry({ meterProvider: metrics.getMeterProvider() });
    const producer = new Producer(bench.connection, { telemetry });
    await producer.send({ topic: 'orders', body: 'a' });
    await producer.close();
    await bench.consume(bench.journalled, { telemetry });
    await bench.broker.idle();
    expect([bench.journal.lines, sdk.spans]).toEqual([['a 1'], []]);
    expect(bench.broker.messages('orders').map(({ properties }) => properties)).toEqual([{}]);
    expect((await sdk.instruments()).sort()).toEqual([
      'rocketmq_await_time',
      'rocketmq_client_held_up_queues',
      'rocketmq_consumer_cached_bytes',
      'rocketmq_consumer_cached_messages',
      'rocketmq_delivery_latency',
      'rocketmq_process_time',
      'rocketmq_send_cost_time',
    ]);
    await sdk.close();
  });

  it.each([
    [{ processTrace: 'parent' }, 'processTrace must be "continue" or "link", not "parent"'],
    [{ attributeNames: 'old' }, 'attributeNames must be "both" or "current" or "former", not "old"'],
    [{ propagator: {} }, 'propagator must be an object with inject(), extract(), fields()'],
    [{ tracer: 1 }, 'tracer is unknown; the options are tracerProvider,'],
  ])('rejects %j and names the option', (options, problem) => {
    const make = (): unknown => openTelemetry(options as OpenTelemetryOptions);
    expect(make).toThrow(UsageError);
    expect(make).toThrow(problem);
  });
});
