import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { until } from '../../../../tools/until.js';
import { MINUTE_MS } from '../support/clock.js';
import type { PushConsumer } from './push-consumer.js';

const TAGGED_A = { kind: 'tag', expression: 'a' } as const;

describe('the subscriptions of a running push consumer', () => {
  let bench: ConsumerBench;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
  });
  afterEach(() => bench.close());

  /** What the server knows of the consumer: `orders *`. */
  function known({ clientId }: PushConsumer): string[] {
    const { pubSub } = bench.broker.broker.inside.sessions.require(clientId).settings;
    if (pubSub?.$case !== 'subscription') return [];
    return pubSub.value.subscriptions.map(({ topic, expression }) => `${topic?.name} ${expression?.expression}`);
  }

  const sendTagged = (tag: string, body: string): Promise<unknown> =>
    bench.producer.send({ topic: 'orders', body, tag });

  it('can add a topic: the server knows it before anything is received', async () => {
    const consumer = await bench.consume(bench.journalled);
    await bench.sendTo('returns', 'back');
    await consumer.subscribe({ topic: 'returns' });
    expect(known(consumer)).toEqual(['orders *', 'returns *']);
    await bench.send('order');
    expect((await bench.journal.has(2)).sort()).toEqual(['back 1', 'order 1']);
    await bench.broker.idle();
    expect(bench.isAllSettled).toBe(true);
  });

  it('can change a filter, from the next poll on', async () => {
    const consumer = await bench.consume(bench.journalled);
    await consumer.subscribe({ topic: 'orders', filter: TAGGED_A });
    expect(known(consumer)).toEqual(['orders a']);
    await sendTagged('b', 'by the poll that was under way');
    await bench.journal.has(1);
    await bench.broker.idle();
    await sendTagged('b', 'passed over');
    await sendTagged('a', 'wanted');
    expect(await bench.journal.has(2)).toEqual(['by the poll that was under way 1', 'wanted 1']);
  });

  it('stay in force until the server knows the change: a filter skips messages for the whole group', async () => {
    const consumer = await bench.consume(bench.journalled);
    bench.broker.faults.add({ rpc: 'telemetry', action: { kind: 'delay', delayMs: 500 } });
    const changed = consumer.subscribe({ topic: 'orders', filter: TAGGED_A });
    for (const body of ['one', 'two', 'three']) {
      await sendTagged('b', body);
      await until(() => bench.journal.lines.some((line) => line.startsWith(body)));
    }
    await changed;
    expect(known(consumer)).toEqual(['orders a']);
  });

  it('stay unchanged when the new topic does not exist or the server does not answer', async () => {
    const consumer = await bench.consume(bench.journalled);
    await expect(consumer.subscribe({ topic: 'nothing' })).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    bench.broker.faults.add({ rpc: 'telemetry', action: { kind: 'dropResponse' } });
    const unanswered = consumer.subscribe({ topic: 'returns', filter: TAGGED_A }, { timeoutMs: 100 });
    await expect(unanswered).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await expect(consumer.subscribe({ topic: 'a b' })).rejects.toMatchObject({ code: 'ILLEGAL_TOPIC' });
    expect(() => consumer.pause('returns')).toThrow('NOT_SUBSCRIBED');
    await bench.sendTo('returns', 'back');
    await bench.send('order');
    expect(await bench.journal.has(1)).toEqual(['order 1']);
  });

  it('can remove a topic: messages of its last poll are released, without an attempt', async () => {
    const consumer = await bench.consume(bench.journalled, {
      subscriptions: [{ topic: 'orders' }, { topic: 'returns' }],
    });
    await consumer.unsubscribe('returns');
    await consumer.unsubscribe('returns');
    expect(known(consumer)).toEqual(['orders *']);
    await bench.sendTo('returns', 'back');
    await bench.broker.idle();
    await bench.send('order');
    expect(await bench.journal.has(1)).toEqual(['order 1']);
    await bench.consume((message) => bench.journal.add(`other ${textOf(message)} ${message.deliveryAttempt}`), {
      subscriptions: [{ topic: 'returns' }],
    });
    expect(await bench.journal.has(2)).toEqual(['order 1', 'other back 1']);
  });

  it('finish running handlers of a removed topic, and start no other', async () => {
    const { opened, open } = gate();
    const consumer = await bench.consume(
      async (message, context) => {
        void bench.journalled(message, context);
        await opened;
      },
      { concurrency: 1, subscriptions: [{ topic: 'orders' }, { topic: 'returns' }] },
    );
    await bench.sendTo('returns', 'one', 'two');
    await until(() => bench.broker.inFlight().length === 2);
    const [first] = await bench.journal.has(1);
    await consumer.unsubscribe('returns');
    // Ends the last poll: held messages are released after it.
    await bench.sendTo('returns', 'three');
    open();
    await until(() => bench.broker.inFlight().length === 0);
    expect(bench.journal.lines).toEqual([first]);
    await consumer.subscribe({ topic: 'returns' });
    expect((await bench.journal.has(3)).sort()).toEqual(['one 1', 'three 1', 'two 1']);
  });

  it('keep their last topic', async () => {
    const consumer = await bench.consume(bench.journalled);
    await expect(consumer.unsubscribe('orders')).rejects.toMatchObject({ code: 'NO_SUBSCRIPTION' });
    await bench.send('one');
    expect(await bench.journal.has(1)).toEqual(['one 1']);
  });

  it('change one after another', async () => {
    const consumer = await bench.consume(bench.journalled);
    await Promise.all([
      consumer.subscribe({ topic: 'returns' }),
      consumer.unsubscribe('orders'),
      consumer.subscribe({ topic: 'orders', filter: TAGGED_A }),
    ]);
    expect(known(consumer)).toEqual(['returns *', 'orders a']);
  });

  it('wait for an earlier change no longer than their timeout and signal allow, and do not change then', async () => {
    const consumer = await bench.consume(bench.journalled);
    bench.broker.faults.add({ rpc: 'telemetry', times: 1, action: { kind: 'dropResponse' } });
    const canceling = new AbortController();
    const { signal } = canceling;
    const earlier = expect(consumer.subscribe({ topic: 'returns' }, { timeoutMs: 60_000, signal })).rejects.toThrow(
      'enough',
    );
    const late = consumer.unsubscribe('orders', { timeoutMs: 100 });
    const unwanted = consumer.unsubscribe('orders', { signal: AbortSignal.abort(new Error('not wanted')) });
    const next = consumer.subscribe({ topic: 'returns', filter: TAGGED_A });
    await Promise.all([
      expect(late).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'not-sent' }),
      expect(unwanted).rejects.toThrow('not wanted'),
    ]);
    // The broker has it, and its answer is lost.
    await until(() => known(consumer).includes('returns *'));
    expect(known(consumer)).toEqual(['orders *', 'returns *']);
    canceling.abort(new Error('enough'));
    await earlier;
    await next;
    expect(known(consumer)).toEqual(['orders *', 'returns a']);
  });

  it('wait for the start no longer than their timeout and signal allow, and fail with it', async () => {
    const connection = bench.connectionTo(bench.broker.endpoints);
    const consumer = bench.consumer(bench.journalled, {}, connection);
    bench.broker.faults.add({ rpc: 'queryRoute', times: 1, action: { kind: 'delay', delayMs: MINUTE_MS } });
    const canceling = new AbortController();
    const started = consumer.start({ timeoutMs: 60_000, signal: canceling.signal });
    const late = consumer.subscribe({ topic: 'returns' }, { timeoutMs: 100 });
    const unwanted = consumer.unsubscribe('orders', { signal: AbortSignal.abort(new Error('not wanted')) });
    const waiting = expect(consumer.subscribe({ topic: 'returns' })).rejects.toThrow('enough');
    await Promise.all([
      expect(late).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'not-sent' }),
      expect(unwanted).rejects.toThrow('not wanted'),
    ]);
    canceling.abort(new Error('enough'));
    await expect(started).rejects.toThrow('enough');
    await waiting;
  });

  it('do not change before the start or after the close, and a close cancels a change', async () => {
    const consumer = bench.consumer(bench.journalled);
    await expect(consumer.subscribe({ topic: 'returns' })).rejects.toMatchObject({ code: 'NOT_STARTED' });
    await consumer.start();
    bench.broker.faults.add({ rpc: 'telemetry', action: { kind: 'dropResponse' } });
    const change = consumer.subscribe({ topic: 'returns' });
    const ended = expect(change).rejects.toMatchObject({ code: 'CLOSED' });
    await consumer.close();
    await ended;
    await expect(consumer.unsubscribe('orders')).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
