import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { ConsumerBench, FIFO, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { idOf, linksOf, parentOf, TelemetryBench, traceOf } from '../../../../test/fixtures/telemetry-bench.js';
import { until } from '../../../../tools/until.js';
import type { BatchHandler } from '../consumer/model/handler.js';
import { DeadLetterError } from '../consumer/model/outcome-errors.js';
import { Producer } from '../producer/producer.js';
import type { OutgoingMessage } from '../protocol/model/message.js';
import { SECOND_MS } from '../support/clock.js';
import { openTelemetry } from './open-telemetry.js';

const sdk = new TelemetryBench();
const telemetry = openTelemetry();
const tracer = trace.getTracer('spec');
let bench: ConsumerBench;
let producer: Producer;

beforeAll(() => sdk.register());
afterAll(() => sdk.close());
beforeEach(async () => {
  bench = await ConsumerBench.open();
  producer = new Producer(bench.connection, { telemetry });
  sdk.reset();
});
afterEach(async () => {
  await producer.close();
  await bench.close();
});

const send = async (...messages: OutgoingMessage[]): Promise<void> => {
  for (const message of messages) await producer.send(message);
};
const order = (body: string): OutgoingMessage => ({ topic: 'orders', body });
const processed = () => sdk.spans.filter(({ name }) => name.startsWith('process '));
const activeSpan = (): string | undefined => trace.getActiveSpan()?.spanContext().spanId;

describe('a handled message', () => {
  it('continues the trace of its send; what the handler sends is a child', async () => {
    let active: string | undefined;
    const handler = async (): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      active = activeSpan();
      await send({ topic: 'returns', body: 'back' });
    };
    const consumer = await bench.consume(handler, { telemetry });
    await send({ ...order('secret one'), tag: 'paid', keys: ['k1'] });
    await bench.broker.idle();
    const [sent, process, next] = [sdk.span('send orders'), sdk.span('process orders'), sdk.span('send returns')];
    expect([parentOf(process), linksOf(process), traceOf(process)]).toEqual([idOf(sent), [idOf(sent)], traceOf(sent)]);
    expect([active, parentOf(next), traceOf(next)]).toEqual([idOf(process), idOf(process), traceOf(sent)]);
    expect(process.kind).toBe(SpanKind.CONSUMER);
    expect(process.attributes).toMatchObject({
      'messaging.system': 'rocketmq',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'orders',
      'messaging.consumer.group.name': 'stock',
      'messaging.client.id': consumer.clientId,
      'messaging.message.id': sent.attributes['messaging.message.id'],
      'messaging.rocketmq.message.type': 'normal',
      'messaging.rocketmq.message.tag': 'paid',
      'messaging.rocketmq.message.keys': ['k1'],
      'nestjs_rocketmq.delivery_attempt': 1,
    });
    expect(JSON.stringify([process.attributes, process.events])).not.toContain('secret');
  });

  it('has the baggage of its sender', async () => {
    const seen: (string | undefined)[] = [];
    const handler = (): void => void seen.push(propagation.getActiveBaggage()?.getEntry('tenant')?.value);
    await bench.consume(handler, { telemetry });
    const baggage = propagation.createBaggage({ tenant: { value: 'acme' } });
    await context.with(propagation.setBaggage(context.active(), baggage), () => send(order('a')));
    await bench.broker.idle();
    expect(seen).toEqual(['acme']);
  });

  it('starts a trace that links to the other with processTrace "link", with the baggage nevertheless', async () => {
    const seen: (string | undefined)[] = [];
    const handler = (): void => void seen.push(propagation.getActiveBaggage()?.getEntry('tenant')?.value);
    await bench.consume(handler, { telemetry: openTelemetry({ processTrace: 'link' }) });
    const baggage = propagation.createBaggage({ tenant: { value: 'acme' } });
    await context.with(propagation.setBaggage(context.active(), baggage), () => send(order('a')));
    await bench.broker.idle();
    const [sent, process] = [sdk.span('send orders'), sdk.span('process orders')];
    expect([parentOf(process), linksOf(process)]).toEqual([undefined, [idOf(sent)]]);
    expect(traceOf(process)).not.toBe(traceOf(sent));
    expect(seen).toEqual(['acme']);
  });

  it('of a sender without telemetry starts a trace of its own, even if a span was active at startup', async () => {
    await tracer.startActiveSpan('bootstrap', async (span) => {
      await bench.consume(() => {}, { telemetry });
      span.end();
    });
    await bench.send('plain');
    await bench.broker.idle();
    const process = sdk.span('process orders');
    expect([parentOf(process), process.links]).toEqual([undefined, []]);
  });

  it('is forwarded with its properties as a new message: a child, not a duplicate', async () => {
    await bench.consume(({ properties }) => producer.send({ topic: 'returns', body: 'b', properties }), { telemetry });
    await send(order('a'));
    await bench.broker.idle();
    expect(parentOf(sdk.span('send returns'))).toBe(idOf(sdk.span('process orders')));
    const [forwarded] = bench.broker.messages('returns');
    expect(forwarded?.properties.traceparent).toContain(idOf(sdk.span('send returns')));
  });

  it('has its span around the interceptors of the consumer', async () => {
    const seen: (string | undefined)[] = [];
    const interceptors = [
      async (_message: unknown, _context: unknown, next: () => Promise<void>) => {
        seen.push(activeSpan());
        await next();
      },
    ];
    await bench.consume(() => void seen.push(activeSpan()), { telemetry, interceptors });
    await send(order('a'));
    await bench.broker.idle();
    const id = idOf(sdk.span('process orders'));
    expect(seen).toEqual([id, id]);
  });
});

describe('a message that fails', () => {
  it('has a span for each attempt, all of them children of the send, with what follows', async () => {
    const handler = (): never => {
      throw new TypeError('body was: secret');
    };
    await bench.consume(handler, { telemetry });
    await send(order('a'));
    await bench.broker.idle();
    await bench.broker.advance(SECOND_MS);
    await bench.broker.advance(5 * SECOND_MS);
    const attempts = processed();
    expect(attempts.map(parentOf)).toEqual(Array(3).fill(idOf(sdk.span('send orders'))));
    expect(
      attempts.map(({ attributes: { ...all } }) => [
        all['nestjs_rocketmq.delivery_attempt'],
        all['error.type'],
        all['nestjs_rocketmq.settlement'],
        all['nestjs_rocketmq.retry.delay_ms'] ?? all['nestjs_rocketmq.dead_letter.reason'],
      ]),
    ).toEqual([
      [1, 'TypeError', 'retry', SECOND_MS],
      [2, 'TypeError', 'retry', 5 * SECOND_MS],
      [3, 'TypeError', 'dead_letter', 'attempts-exhausted'],
    ]);
    expect(attempts.every(({ status }) => status.code === SpanStatusCode.ERROR)).toBe(true);
    expect(
      JSON.stringify(attempts.map(({ status, events, attributes }) => [status, events, attributes])),
    ).not.toContain('secret');
  });

  it('of an ordered group has a span for each local attempt, too', async () => {
    const handler = ({ deliveryAttempt }: { deliveryAttempt: number }): void => {
      if (deliveryAttempt === 1) throw new Error('not yet');
    };
    await bench.consume(handler, { telemetry, ...FIFO });
    await send({ topic: 'steps', body: 'a1', messageGroup: 'a' });
    await bench.broker.idle();
    await bench.broker.advance(SECOND_MS);
    expect(processed().map(({ attributes }) => attributes['nestjs_rocketmq.delivery_attempt'])).toEqual([1, 2]);
    expect(processed()[0]?.attributes).toMatchObject({ 'rocketmq.message.group': 'a', 'error.type': 'Error' });
  });

  it('by its timeout records that once, although the handler ends later', async () => {
    const { opened, open } = gate();
    await bench.consume(() => opened, { telemetry, handlerTimeoutMs: 20 });
    await send(order('a'));
    await until(() => processed().length === 1);
    expect(sdk.span('process orders').attributes['error.type']).toBe('HANDLER_TIMEOUT');
    open();
    await bench.broker.idle();
    expect(processed()).toHaveLength(1);
  });

  it('is counted: retried ones, and dead letters by their reason', async () => {
    const handler = (message: { body: Buffer }): never => {
      throw message.body.toString() === 'never' ? new DeadLetterError('no use') : new Error('later');
    };
    const consumer = await bench.consume(handler, { telemetry });
    await send(order('later'), order('never'));
    await bench.broker.idle();
    const labels = { topic: 'orders', client_id: consumer.clientId, consumer_group: 'stock' };
    const own = async (name: string) =>
      (await sdk.measured(name)).filter((one) => one.labels.client_id === consumer.clientId);
    expect(await own('rocketmq_client_retries')).toEqual([{ labels, value: 1 }]);
    const reason = 'handler-decided';
    expect(await own('rocketmq_client_dead_letters')).toEqual([{ labels: { ...labels, reason }, value: 1 }]);
  });
});

describe('a batch', () => {
  const names = ['m0', 'm1', 'm2'];
  const listen = (handler: BatchHandler, maxSize = names.length) =>
    bench.listen([{ name: 'batch', topic: 'orders', batch: { handler, maxSize, maxWaitMs: 60_000 } }], { telemetry });

  it('is one span of its own with a link to each send, active in the handler', async () => {
    let active: string | undefined;
    await listen(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      active = activeSpan();
      await send({ topic: 'returns', body: 'all of it' });
    });
    await send(...names.map(order));
    await until(() => processed().length > 0);
    const process = sdk.span('process orders');
    const sends = sdk.spans.filter(({ name }) => name === 'send orders');
    expect(parentOf(process)).toBeUndefined();
    expect(linksOf(process).sort()).toEqual(sends.map(idOf).sort());
    expect(process.links.map(({ attributes }) => attributes?.['messaging.message.id']).sort()).toEqual(
      sends.map(({ attributes }) => attributes['messaging.message.id']).sort(),
    );
    expect([process.kind, process.attributes['messaging.batch.message_count']]).toEqual([SpanKind.CONSUMER, 3]);
    expect([active, parentOf(sdk.span('send returns'))]).toEqual([idOf(process), idOf(process)]);
  });

  it('records how many failed, and measures each of its messages', async () => {
    const consumer = await listen((messages, batch) => {
      for (const message of messages) if (textOf(message) === 'm1') batch.fail(message, new RangeError('this one'));
    });
    await send(...names.map(order));
    await until(() => processed().length > 0);
    expect(sdk.span('process orders').attributes).toMatchObject({
      'nestjs_rocketmq.batch.failed_count': 1,
      'error.type': 'RangeError',
    });
    const own = (await sdk.measured('rocketmq_process_time')).filter(
      ({ labels }) => labels.client_id === consumer.clientId,
    );
    expect(Object.fromEntries(own.map(({ labels, value }) => [labels.invocation_status, value]))).toEqual({
      success: 2,
      failure: 1,
    });
  });

  it('of one message is a batch, too', async () => {
    await listen(() => {}, 1);
    await send(order('m0'));
    await until(() => processed().length > 0);
    const process = sdk.span('process orders');
    expect([parentOf(process), linksOf(process)]).toEqual([undefined, [idOf(sdk.span('send orders'))]]);
    expect(process.attributes['messaging.batch.message_count']).toBe(1);
  });

  it('has a context that can be destructured, as without telemetry', async () => {
    await listen((messages, { fail, signalOf }) => {
      for (const message of messages) if (!signalOf(message).aborted) fail(message, new RangeError('this one'));
    }, 1);
    await send(order('m0'));
    await until(() => processed().length > 0);
    expect(sdk.span('process orders').attributes['error.type']).toBe('RangeError');
  });

  it('that throws has failed as a whole', async () => {
    await listen(() => Promise.reject(new SyntaxError('no')), 1);
    await send(order('m0'));
    await until(() => processed().length > 0);
    expect(sdk.span('process orders').attributes['error.type']).toBe('SyntaxError');
  });
});

describe('the measurements of a consumer', () => {
  it('have the names, labels, units and buckets of the official client', async () => {
    const consumer = await bench.consume(() => {}, { telemetry });
    await send(order('a'), order('b'));
    await bench.broker.idle();
    const labels = { topic: 'orders', client_id: consumer.clientId, consumer_group: 'stock' };
    const own = async (name: string) =>
      (await sdk.measured(name)).filter((one) => one.labels.client_id === consumer.clientId);
    expect(await own('rocketmq_process_time')).toEqual([
      { labels: { ...labels, invocation_status: 'success' }, value: 2 },
    ]);
    expect(await own('rocketmq_await_time')).toEqual([{ labels, value: 2 }]);
    expect(await own('rocketmq_delivery_latency')).toMatchObject([{ labels }]);
    expect(await sdk.histogram('rocketmq_process_time')).toEqual({
      unit: 'ms',
      bounds: [1, 5, 10, 100, 1_000, 10_000, 60_000],
    });
    expect(await sdk.histogram('rocketmq_await_time')).toEqual({
      unit: 'ms',
      bounds: [1, 5, 20, 100, 1_000, 5_000, 10_000],
    });
    expect(await sdk.histogram('rocketmq_delivery_latency')).toEqual({
      unit: 'ms',
      bounds: [1, 5, 10, 20, 50, 200, 500],
    });
  });

  it('count a lease that is lost', async () => {
    bench.broker.faults.add({
      rpc: 'changeInvisibleDuration',
      action: { kind: 'answer', code: 'INVALID_RECEIPT_HANDLE', message: 'expired' },
    });
    const handler = async (_message: unknown, { signal }: { signal: AbortSignal }): Promise<void> => {
      bench.journal.add('begins');
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    };
    const consumer = await bench.consume(handler, { telemetry });
    await send(order('a'));
    await bench.journal.has(1);
    await bench.broker.advance(15 * SECOND_MS, { duringWork: true });
    const own = async () =>
      (await sdk.measured('rocketmq_client_lost_leases')).filter(
        ({ labels }) => labels.client_id === consumer.clientId,
      );
    await until(async () => (await own()).length > 0);
    expect(await own()).toMatchObject([{ labels: { topic: 'orders', consumer_group: 'stock' }, value: 1 }]);
  });

  it('report what it holds, in messages and bytes, as long as it is open', async () => {
    const { opened, open } = gate();
    const consumer = await bench.consume(() => opened, { telemetry, concurrency: 1 });
    const held = async (name: string) =>
      (await sdk.measured(name))
        .filter(({ labels }) => labels.client_id === consumer.clientId)
        .map(({ labels: { topic, consumer_group }, value }) => [topic, consumer_group, value]);
    expect(await held('rocketmq_consumer_cached_messages')).toEqual([['orders', 'stock', 0]]);
    await send(order('four'), order('seven77'));
    await until(() => bench.broker.inFlight().length === 2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await held('rocketmq_consumer_cached_messages')).toEqual([['orders', 'stock', 2]]);
    expect(await held('rocketmq_consumer_cached_bytes')).toEqual([['orders', 'stock', 11]]);
    open();
    await consumer.close();
    expect(await held('rocketmq_consumer_cached_messages')).toEqual([['orders', 'stock', 0]]);
  });

  it('keep nothing of a consumer that could not start, which may be retried repeatedly under new ids', async () => {
    const options = { telemetry, consumerGroup: 'nobody' };
    for (let tries = 0; tries < 3; tries++) await expect(bench.consume(() => {}, options)).rejects.toThrow('nobody');
    const held = await sdk.measured('rocketmq_consumer_cached_messages');
    expect(held.filter(({ labels }) => labels.consumer_group === 'nobody')).toEqual([]);
  });

  it('have no label of a message: their number does not grow with messages', async () => {
    await bench.consume(() => {}, { telemetry });
    for (const name of ['a', 'b', 'c', 'd'])
      await send({ ...order(name), keys: [name], tag: name, properties: { name } });
    await bench.broker.idle();
    for (const instrument of await sdk.instruments()) {
      for (const { labels } of await sdk.measured(instrument)) {
        const known = ['topic', 'client_id', 'consumer_group', 'invocation_status', 'reason', 'outcome', 'resolution'];
        expect(Object.keys(labels).filter((name) => !known.includes(name))).toEqual([]);
      }
    }
  });
});
