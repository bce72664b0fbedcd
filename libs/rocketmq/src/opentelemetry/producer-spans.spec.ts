import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Context, context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { ProducerBench } from '../../../../test/fixtures/producer-bench.js';
import { idOf, linksOf, parentOf, TelemetryBench, traceOf } from '../../../../test/fixtures/telemetry-bench.js';
import type { Producer } from '../producer/producer.js';
import type { ProducerOptions } from '../producer/producer-options.js';
import type { TransactionCheckHandler } from '../producer/transactions/transaction-check.js';
import { currentLocalTransaction } from '../producer/transactions/transaction-scope.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { openTelemetry } from './open-telemetry.js';

const sdk = new TelemetryBench();
let bench: ProducerBench;

beforeAll(() => sdk.register());
afterAll(() => sdk.close());
beforeEach(async () => {
  const topics = [
    { name: 'orders' },
    { name: 'lines', type: 'fifo' as const },
    { name: 'later', type: 'delay' as const },
    { name: 'payments', type: 'transaction' as const },
  ];
  bench = await ProducerBench.start({ topics, manualClock: true });
  sdk.reset();
});
afterEach(() => bench.close());

const tracer = trace.getTracer('spec');
const newProducer = (options: ProducerOptions = {}): Producer =>
  bench.newProducer({ telemetry: openTelemetry(), ...options });
const propertiesOf = (topic: string) => bench.broker.messages(topic).map(({ properties }) => properties);
const within = <T>(name: string, work: () => Promise<T>): Promise<T> =>
  tracer.startActiveSpan(name, async (span) => work().finally(() => span.end()));

describe('a send', () => {
  it('is a span of the messaging conventions, and never contains a body', async () => {
    const producer = newProducer();
    const secret = 'card 4111 1111 1111 1111';
    const { messageId } = await producer.send({ topic: 'orders', body: secret, tag: 'paid', keys: ['o-1'] });
    const span = sdk.span('send orders');
    const [host = '', port = ''] = bench.broker.endpoints.split(':');
    expect(span.kind).toBe(SpanKind.PRODUCER);
    expect(span.status.code).toBe(SpanStatusCode.UNSET);
    expect(span.attributes).toEqual({
      'messaging.system': 'rocketmq',
      'messaging.system.name': 'rocketmq',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'orders',
      'messaging.client.id': producer.clientId,
      'messaging.message.id': messageId,
      'messaging.rocketmq.message.type': 'normal',
      'rocketmq.message.type': 'normal',
      'messaging.rocketmq.message.tag': 'paid',
      'rocketmq.message.tag': 'paid',
      'messaging.rocketmq.message.keys': ['o-1'],
      'rocketmq.message.keys': ['o-1'],
      'server.address': host,
      'server.port': Number(port),
    });
    const { name, attributes, events, links, status } = span;
    expect(JSON.stringify({ name, attributes, events, links, status })).not.toContain('4111');
  });

  it('records message group and delivery time of the messages that have them', async () => {
    const producer = newProducer({ telemetry: openTelemetry({ attributeNames: 'current' }) });
    await producer.send({ topic: 'lines', body: 'a', messageGroup: 'order 7' });
    await producer.send({ topic: 'later', body: 'a', delayMs: MINUTE_MS });
    expect(sdk.span('send lines').attributes).toMatchObject({
      'rocketmq.message.type': 'fifo',
      'rocketmq.message.group': 'order 7',
    });
    expect(sdk.span('send later').attributes).toMatchObject({
      'rocketmq.message.type': 'delay',
      'rocketmq.message.delivery_timestamp': bench.broker.clock.nowMs() + MINUTE_MS,
    });
    expect(
      Object.keys(sdk.span('send later').attributes).filter((name) => /^messaging\.(system|rocketmq)/.test(name)),
    ).toEqual(['messaging.system.name']);
  });

  it('records the former names only with attributeNames "former"', async () => {
    await newProducer({ telemetry: openTelemetry({ attributeNames: 'former' }) }).send({ topic: 'orders', body: 'a' });
    const { attributes } = sdk.span('send orders');
    expect(attributes).toMatchObject({ 'messaging.system': 'rocketmq', 'messaging.rocketmq.message.type': 'normal' });
    expect(attributes).not.toHaveProperty(['rocketmq.message.type']);
  });

  it('is a child of the active span, and carries context and baggage in the message in the W3C format', async () => {
    const baggage = propagation.createBaggage({ tenant: { value: 'acme' } });
    await within('request', () =>
      context.with(propagation.setBaggage(context.active(), baggage), () =>
        newProducer().send({ topic: 'orders', body: 'a', properties: { own: 'stays' } }),
      ),
    );
    const [send, request] = [sdk.span('send orders'), sdk.span('request')];
    expect(parentOf(send)).toBe(idOf(request));
    expect(propertiesOf('orders')).toEqual([
      { own: 'stays', traceparent: `00-${traceOf(request)}-${idOf(send)}-01`, baggage: 'tenant=acme' },
    ]);
  });

  it('keeps the context that the message already has, and links to it', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await within('relay', () => newProducer().send({ topic: 'orders', body: 'a', properties: { traceparent } }));
    const span = sdk.span('send orders');
    expect([span.kind, linksOf(span), traceOf(span)]).toEqual([
      SpanKind.CLIENT,
      ['b7ad6b7169203331'],
      '0af7651916cd43dd8448eb211c80319c',
    ]);
    expect(propertiesOf('orders')).toEqual([{ traceparent }]);
  });

  it('that fails records the code of its error, and its message only with recordErrors', async () => {
    bench.broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' }, times: 2 });
    await expect(newProducer().send({ topic: 'orders', body: 'a' })).rejects.toThrow();
    const { attributes, status, events } = sdk.span('send orders');
    expect([attributes['error.type'], status, events]).toEqual(['FORBIDDEN', { code: SpanStatusCode.ERROR }, []]);
    sdk.reset();
    const recording = newProducer({ telemetry: openTelemetry({ recordErrors: true }) });
    await expect(recording.send({ topic: 'orders', body: 'a' })).rejects.toThrow();
    expect(sdk.span('send orders').status.message).toContain('FORBIDDEN');
    expect(sdk.span('send orders').events[0]?.name).toBe('exception');
  });

  it('has a span and a context of its own for each message of a batch, and one-way', async () => {
    const producer = newProducer();
    await within('request', async () => {
      await producer.sendBatch(['a', 'b', 'c'].map((body) => ({ topic: 'orders', body })));
      await producer.sendOneway({ topic: 'orders', body: 'd' });
    });
    await producer.close();
    const sends = sdk.spans.filter(({ name }) => name === 'send orders');
    expect(sends.map(parentOf)).toEqual(Array(4).fill(idOf(sdk.span('request'))));
    const carried = propertiesOf('orders').map(({ traceparent }) => traceparent?.split('-')[2]);
    expect(carried.sort()).toEqual(sends.map(idOf).sort());
  });

  it('runs outside of the interceptors of the application', async () => {
    const seen: (string | undefined)[] = [];
    const producer = newProducer({
      interceptors: [
        (message, next) => {
          seen.push(message.properties?.traceparent);
          return next({ ...message, tag: 'changed' });
        },
      ],
    });
    await producer.send({ topic: 'orders', body: 'a' });
    expect(seen).toEqual([undefined]);
    expect(sdk.span('send orders').attributes['rocketmq.message.tag']).toBe('changed');
  });

  it.each([
    ['many', Object.fromEntries(Array.from({ length: 128 }, (_, index) => [`p${index}`, 'x']))],
    ['large', { note: 'ü'.repeat(8_170) }],
  ])(
    'is sent without its context where the message has as %s properties as the server accepts',
    async (_, properties) => {
      await newProducer({ telemetry: undefined }).send({ topic: 'orders', body: 'a', properties });
      await newProducer().send({ topic: 'orders', body: 'a', properties });
      expect(propertiesOf('orders')).toEqual([properties, properties]);
      expect(sdk.span('send orders').status.code).toBe(SpanStatusCode.UNSET);
    },
  );

  it('is counted when its message is stored less safely than the broker is configured to', async () => {
    bench.broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'MASTER_PERSISTENCE_TIMEOUT' } });
    const producer = newProducer();
    await producer.send({ topic: 'orders', body: 'a' });
    const all = await sdk.measured('rocketmq_client_less_durable_messages');
    const own = all.filter(({ labels }) => labels.client_id === producer.clientId);
    expect(own).toEqual([
      { labels: { topic: 'orders', client_id: producer.clientId, durability: 'not-flushed' }, value: 1 },
    ]);
  });

  it('succeeds with what a propagator adds and the server would reject, and leaves that out', async () => {
    const propagator = {
      inject(_: unknown, carrier: unknown, setter: { set(carrier: unknown, name: string, value: unknown): void }) {
        const values = {
          good: 'yes',
          number: 7,
          nothing: undefined,
          empty: '',
          TAGS: 'x',
          broken: 'a\n',
          half: '\ud83d',
        };
        for (const [name, value] of Object.entries(values)) setter.set(carrier, name, value);
        Object.assign(carrier as object, { direct: 8 });
      },
      extract: (given: Context) => given,
      fields: () => [],
    };
    const telemetry = openTelemetry({ propagator });
    await newProducer({ telemetry }).send({ topic: 'orders', body: 'a', properties: { own: '1' } });
    expect(propertiesOf('orders')).toEqual([{ own: '1', good: 'yes' }]);
  });

  it('succeeds when the propagator fails', async () => {
    const fail = (): never => {
      throw new Error('broken');
    };
    const propagator = { inject: fail, extract: fail, fields: () => [] };
    await newProducer({ telemetry: openTelemetry({ propagator }) }).send({ topic: 'orders', body: 'a' });
    expect(propertiesOf('orders')).toEqual([{}]);
  });
});

describe('a transaction', () => {
  const start = async (checker: TransactionCheckHandler): Promise<Producer> => {
    const producer = newProducer({ transactionCheckers: { payments: checker } });
    await producer.start();
    return producer;
  };
  const message = { topic: 'payments', body: 'one' };

  it('is one span that contains the half message, the local work and the commit', async () => {
    const producer = await start(() => 'unknown');
    await producer.transact({ message }, () => within('database', async () => {}));
    const whole = sdk.span('transact payments');
    const send = sdk.span('send payments');
    const commit = sdk.span('commit payments');
    expect(whole.kind).toBe(SpanKind.INTERNAL);
    expect([send, commit, sdk.span('database')].map(parentOf)).toEqual(Array(3).fill(idOf(whole)));
    expect(send.attributes['rocketmq.message.type']).toBe('transaction');
    expect(linksOf(commit)).toEqual([idOf(send)]);
    expect(commit.kind).toBe(SpanKind.CLIENT);
    expect(commit.attributes).toMatchObject({
      'messaging.operation.type': 'settle',
      'messaging.message.id': send.attributes['messaging.message.id'],
      'nestjs_rocketmq.transaction.result': 'accepted',
    });
    expect(propertiesOf('payments')[0]?.traceparent).toContain(idOf(send));
  });

  it('whose message is prepared by its work is one span, too', async () => {
    const producer = await start(() => 'unknown');
    await producer.transact({}, async () => {
      await currentLocalTransaction().prepare(message);
      currentLocalTransaction().rollback();
    });
    const whole = sdk.span('transact');
    expect([sdk.span('send payments'), sdk.span('rollback payments')].map(parentOf)).toEqual(
      Array(2).fill(idOf(whole)),
    );
  });

  it('that fails is a failed span, resolved by the checker', async () => {
    const producer = await start(() => 'rollback');
    const failing = producer.transact({ message }, () => Promise.reject(new RangeError('no')));
    await expect(failing).rejects.toThrow('no');
    expect(sdk.span('transact payments').attributes['error.type']).toBe('RangeError');
    expect(sdk.span('rollback payments').status.code).toBe(SpanStatusCode.UNSET);
  });

  it('is checked in the trace of its half message, whatever was active when the producer started', async () => {
    const asked: string[] = [];
    const producer = await within('bootstrap', () =>
      start(() => {
        asked.push(trace.getActiveSpan()?.spanContext().spanId ?? '');
        return asked.length === 1 ? 'unknown' : 'commit';
      }),
    );
    await producer.transact({ message }, () => Promise.reject(new Error('no'))).catch(() => {});
    await bench.broker.advance(10 * SECOND_MS);
    const check = sdk.span('check payments');
    const half = sdk.span('send payments');
    expect([parentOf(check), linksOf(check), traceOf(check)]).toEqual([idOf(half), [idOf(half)], traceOf(half)]);
    expect(asked).toEqual([idOf(sdk.span('transact payments')), idOf(check)]);
    expect(check.attributes['nestjs_rocketmq.transaction.resolution']).toBe('commit');
  });

  it('is counted by outcome', async () => {
    const producer = await start(() => 'unknown');
    const outcomes = async () => {
      const all = await sdk.measured('rocketmq_client_transactions');
      const own = all.filter(({ labels }) => labels.client_id === producer.clientId);
      return Object.fromEntries(own.map(({ labels, value }) => [String(labels.outcome), value]));
    };
    await producer.transact({ message }, async () => {});
    await producer.transact({ message }, async () => {});
    await producer.transact({ message }, async () => currentLocalTransaction().rollback());
    await expect(producer.transact({ message }, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    bench.broker.faults.add({ rpc: 'endTransaction', action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' } });
    await producer.transact({ message }, async () => {});
    expect(await outcomes()).toEqual({ commit: 2, rollback: 1, unknown: 1, left_to_check: 1 });
    expect(
      sdk.spans.find(({ attributes }) => attributes['nestjs_rocketmq.transaction.result'] === 'left-to-check')?.name,
    ).toBe('commit payments');
    await bench.broker.advance(10 * SECOND_MS);
    const checks = await sdk.measured('rocketmq_client_transaction_checks');
    const own = checks.filter(({ labels }) => labels.client_id === producer.clientId);
    expect(own.map(({ labels }) => labels.resolution).sort()).toEqual(['commit', 'unknown']);
  });
});

describe('the measurements of a producer', () => {
  it('are the duration of sends by topic and outcome, in the buckets of the official client', async () => {
    const producer = newProducer();
    await producer.send({ topic: 'orders', body: 'a', keys: ['k'] });
    await producer.send({ topic: 'orders', body: 'b' });
    await expect(producer.send({ topic: 'orders', body: '' })).rejects.toThrow();
    const all = await sdk.measured('rocketmq_send_cost_time');
    const labels = { topic: 'orders', client_id: producer.clientId };
    expect(all.filter((one) => one.labels.client_id === producer.clientId)).toEqual([
      { labels: { ...labels, invocation_status: 'success' }, value: 2 },
      { labels: { ...labels, invocation_status: 'failure' }, value: 1 },
    ]);
    const bounds = [1, 5, 10, 20, 50, 200, 500];
    expect(await sdk.histogram('rocketmq_send_cost_time')).toEqual({ unit: 'ms', bounds });
  });
});
