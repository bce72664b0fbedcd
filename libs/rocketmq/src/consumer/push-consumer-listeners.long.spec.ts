import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { until } from '../../../../tools/until.js';
import type { MessageView } from '../protocol/model/message.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import type { MessageListener } from './listeners/message-listener.js';
import { PushConsumer } from './push-consumer.js';

describe('the listeners of a push consumer', () => {
  let bench: ConsumerBench;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
  });
  afterEach(() => bench.close());

  const tags = (expression: string) => ({ kind: 'tag', expression }) as const;
  const noting =
    (name: string) =>
    (message: MessageView): void =>
      bench.journal.add(`${name} ${textOf(message)}`);
  const listener = (name: string, more: Partial<MessageListener> = {}): MessageListener => ({
    name,
    topic: 'orders',
    handler: noting(name),
    ...more,
  });
  const sendTagged = async (...tagged: string[]): Promise<void> => {
    for (const tag of tagged) await bench.producer.send({ topic: 'orders', body: tag, tag: tag.slice(0, 1) });
  };

  it('get the messages of their topics and tags each, by one subscription', async () => {
    await bench.listen([
      listener('first', { filter: tags('a || b') }),
      listener('second', { filter: tags('c') }),
      listener('returns', { topic: 'returns' }),
    ]);
    await sendTagged('a', 'c', 'b', 'd');
    await bench.sendTo('returns', 'r');
    expect((await bench.journal.has(4)).sort()).toEqual(['first a', 'first b', 'returns r', 'second c']);
    await bench.broker.idle();
    expect(bench.isAllSettled).toBe(true);
  });

  it('do not wait for a busy one, on another topic or on the same', async () => {
    const { opened, open } = gate();
    const slow = { concurrency: 1, handler: () => opened };
    await bench.listen(
      [
        listener('slow', { ...slow, filter: tags('s') }),
        listener('quick', { concurrency: 1, filter: tags('q') }),
        listener('returns', { concurrency: 1, topic: 'returns' }),
      ],
      { maxBufferedMessages: 6 },
    );
    await sendTagged('s1', 's2', 's3', 's4', 's5', 's6', 's7', 's8', 'q1', 'q2');
    await bench.sendTo('returns', 'r1');
    const lines = await bench.journal.has(3);
    expect([...lines].sort()).toEqual(['quick q1', 'quick q2', 'returns r1']);
    open();
    await bench.broker.advance(60 * SECOND_MS);
    expect(bench.isAllSettled).toBe(true);
    expect(bench.deadLetters('stock')).toEqual([]);
  });

  it('hold more than their share while the others of the topic hold little, and return the rest for a short time', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    await bench.listen(names.map((name) => listener(name, { concurrency: 4, filter: tags(name) })));
    await sendTagged(...Array.from({ length: 150 }, (_, index) => `a${index}`));
    await bench.broker.idle();
    expect(bench.journal.lines).toHaveLength(150);
    await sendTagged(...Array.from({ length: 400 }, (_, index) => `b${index}`));
    await bench.broker.advance(3 * SECOND_MS);
    expect(bench.journal.lines).toHaveLength(550);
    expect(bench.isAllSettled).toBe(true);
  });

  it('of which two are busy leave room for the third, and a slow one leaves a quick one its concurrency', async () => {
    const { opened, open } = gate();
    const slow = { concurrency: 1, handler: () => opened };
    let [running, most] = [0, 0];
    const counted = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await opened;
      running--;
    };
    await bench.listen(
      [
        listener('a', { ...slow, filter: tags('a') }),
        listener('b', { ...slow, filter: tags('b') }),
        listener('c', { concurrency: 1, filter: tags('c') }),
        listener('d', { concurrency: 9, filter: tags('d'), handler: counted }),
      ],
      { maxBufferedMessages: 24 },
    );
    const many = (tag: string) => Array.from({ length: 30 }, (_, index) => `${tag}${index}`);
    await sendTagged(...many('a'), ...many('b'), 'c1', 'c2', ...many('d'));
    expect([...(await bench.journal.has(2))].sort()).toEqual(['c c1', 'c c2']);
    await bench.broker.advance(60 * SECOND_MS, { duringWork: true });
    await until(() => most === 9);
    open();
    await bench.broker.advance(120 * SECOND_MS);
    expect(bench.isAllSettled).toBe(true);
    expect(bench.deadLetters('stock')).toEqual([]);
  });

  it('can be paused one by one; their messages lose no attempt meanwhile', async () => {
    const consumer = await bench.listen([
      listener('first', {
        filter: tags('a'),
        handler: (message) => bench.journal.add(`first ${textOf(message)} ${message.deliveryAttempt}`),
      }),
      listener('second', { filter: tags('b') }),
      listener('returns', { topic: 'returns' }),
    ]);
    consumer.pauseListener('first');
    consumer.pauseListener('returns');
    const state = () => ['first', 'second', 'returns'].map((name) => consumer.isListenerPaused(name));
    expect(state()).toEqual([true, false, true]);
    await sendTagged('a', 'b');
    await bench.sendTo('returns', 'r');
    expect(await bench.journal.has(1)).toEqual(['second b']);
    await bench.broker.advance(45 * SECOND_MS, { duringWork: true });
    expect(bench.journal.lines).toEqual(['second b']);
    consumer.resumeListener('first');
    consumer.resumeListener('returns');
    expect(state()).toEqual([false, false, false]);
    await bench.broker.advance(15 * SECOND_MS, { duringWork: true });
    expect((await bench.journal.has(3)).sort()).toEqual(['first a 1', 'returns r', 'second b']);
    expect(() => consumer.pauseListener('nobody')).toThrow('UNKNOWN_LISTENER');
  });

  it('can run more handlers, or fewer, while they run', async () => {
    const gates = Array.from({ length: 8 }, () => gate());
    let begun = 0;
    const handler = async (): Promise<void> => gates[begun++]?.opened;
    const consumer = await bench.listen([listener('first', { concurrency: 1, handler })], { maxBufferedMessages: 10 });
    await sendTagged('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
    await until(() => begun === 1);
    expect(consumer.listenerLoad('first')).toEqual({ concurrency: 1, running: 1, isLimited: false });
    consumer.setConcurrency('first', 3);
    await until(() => begun === 3);
    expect(consumer.listenerLoad('first')).toEqual({ concurrency: 3, running: 3, isLimited: false });
    consumer.setConcurrency('first', 1);
    gates[0]?.open();
    gates[1]?.open();
    await until(() => consumer.listenerLoad('first').running === 1);
    expect(begun).toBe(3);
    gates[2]?.open();
    await until(() => begun === 4);
    expect(consumer.listenerLoad('first')).toEqual({ concurrency: 1, running: 1, isLimited: false });
    for (const { open } of gates) open();
    await until(() => begun === 8);
    for (const none of [0, -1, 1.5, 11]) {
      expect(() => consumer.setConcurrency('first', none)).toThrow(
        expect.objectContaining({ code: 'ILLEGAL_OPTION', field: 'concurrency' }),
      );
    }
    expect(() => consumer.setConcurrency('nobody', 1)).toThrow('UNKNOWN_LISTENER');
    await bench.broker.idle();
    expect(bench.isAllSettled).toBe(true);
  });

  it('of batches can run more of them', async () => {
    const { opened, open } = gate();
    const sizes: number[] = [];
    const batch = {
      maxSize: 2,
      maxWaitMs: MINUTE_MS,
      handler: (messages: readonly MessageView[]) => {
        sizes.push(messages.length);
        return opened;
      },
    };
    const consumer = await bench.listen([listener('first', { concurrency: 1, handler: undefined, batch })]);
    await sendTagged('a', 'b', 'c', 'd', 'e', 'f');
    await until(() => sizes.length === 1);
    consumer.setConcurrency('first', 3);
    await until(() => sizes.reduce((sum, size) => sum + size, 0) === 6);
    expect(consumer.listenerLoad('first')).toEqual({ concurrency: 3, running: 6, isLimited: false });
    open();
    await bench.broker.idle();
    expect(bench.isAllSettled).toBe(true);
  });

  it('have failure policies of their own, completed by that of the consumer', async () => {
    class NoStock extends Error {}
    const failing = (name: string, more: Partial<MessageListener> = {}): MessageListener =>
      listener(name, {
        filter: tags(name.slice(0, 1)),
        handler: ({ deliveryAttempt }) => {
          bench.journal.add(`${name} ${deliveryAttempt}`);
          throw new NoStock('none');
        },
        ...more,
      });
    await bench.listen(
      [
        failing('own', { backoff: { kind: 'customized', nextMs: [20 * SECOND_MS] }, maxAttempts: 2 }),
        failing('common'),
        failing('never', { deadLetterOn: [NoStock] }),
        failing('selective', { retryOn: (error) => !(error instanceof NoStock) }),
      ],
      { maxAttempts: 3, backoff: { kind: 'customized', nextMs: [10 * SECOND_MS] }, events: bench.events },
    );
    await sendTagged('o', 'c', 'n', 's');
    await bench.broker.idle();
    expect([...bench.journal.lines].sort()).toEqual([
      'common 1',
      'dead letter n not-retryable',
      'dead letter s not-retryable',
      'never 1',
      'own 1',
      'selective 1',
    ]);
    await bench.broker.advance(19 * SECOND_MS);
    expect(bench.journal.lines.slice(6)).toEqual(['common 2']);
    await bench.broker.advance(SECOND_MS);
    expect([...bench.journal.lines.slice(7)].sort()).toEqual([
      'common 3',
      'dead letter c attempts-exhausted',
      'dead letter o attempts-exhausted',
      'own 2',
    ]);
    expect(bench.deadLetters('stock').sort()).toEqual(['c', 'n', 'o', 's']);
  });

  it('count no attempt that ended with its process: a handler gets the message before it is dead-lettered', async () => {
    const first = await bench.listen(
      [
        listener('dying', {
          handler: () => {
            bench.journal.add('begun');
            return new Promise(() => {});
          },
        }),
      ],
      { invisibleDurationMs: 10 * SECOND_MS },
    );
    await bench.send('one');
    await bench.journal.has(1);
    await first.close({ shutdownGraceMs: 0 });
    const handler = (): void => {
      bench.journal.add('handled');
      throw new Error('no stock');
    };
    await bench.listen([listener('second', { maxAttempts: 1, handler })], { events: bench.events });
    await bench.broker.advance(60 * SECOND_MS, { duringWork: true });
    expect(await bench.journal.has(3)).toEqual(['begun', 'handled', 'dead letter one attempts-exhausted']);
    await bench.broker.idle();
    expect(bench.deadLetters('stock')).toEqual(['one']);
  });

  it('store dead letters elsewhere with deadLetterTo, and call their own hook before', async () => {
    const kept: string[] = [];
    let rejections = 2;
    await bench.listen([
      listener('keeping', {
        maxAttempts: 1,
        handler: () => Promise.reject(new Error('no stock')),
        onDeadLetter: ({ message, consumerGroup }) => bench.journal.add(`hook ${textOf(message)} ${consumerGroup}`),
        deadLetterTo: async ({ message, reason, error }) => {
          if (rejections-- > 0) throw new Error('not now');
          kept.push(`${textOf(message)} ${reason} ${error}`);
        },
      }),
    ]);
    await bench.send('one');
    await bench.broker.idle();
    expect([bench.journal.lines, kept]).toEqual([['hook one stock'], []]);
    await bench.broker.advance(SECOND_MS);
    // deadLetterTo rejected twice; the third delivery is the group's last one.
    await bench.broker.advance(5 * SECOND_MS);
    expect(kept).toEqual(['one attempts-exhausted Error: no stock']);
    expect([bench.isAllSettled, bench.deadLetters('stock')]).toEqual([true, []]);
  });

  it('leave a dead letter to the broker when deadLetterTo fails in every attempt', async () => {
    const deadLetterTo = () => Promise.reject(new Error('never'));
    await bench.listen([
      listener('one', { maxAttempts: 1, handler: () => Promise.reject(new Error('no')), deadLetterTo }),
    ]);
    await bench.send('one');
    await bench.broker.advance(20 * SECOND_MS);
    expect([bench.isAllSettled, bench.deadLetters('stock')]).toEqual([true, ['one']]);
  });

  it('are rejected with more attempts than the server allows, and the listener is named', async () => {
    await expect(bench.listen([listener('eager', { maxAttempts: 4 })])).rejects.toThrow(
      /TOO_MANY_ATTEMPTS.*listener eager.*4.*"stock".*3/,
    );
  });

  it.each<[string, Partial<MessageListener>, RegExp]>([
    ['concurrency', { concurrency: 0 }, /listener wrong: option concurrency/],
    ['handlerTimeoutMs', { handlerTimeoutMs: -1 }, /listener wrong: option handlerTimeoutMs/],
    ['maxAttempts', { maxAttempts: 1.5 }, /listener wrong: option maxAttempts/],
    ['handler', { handler: undefined as never }, /listener wrong: set either handler or batch/],
    [
      'batch',
      { handler: undefined as never, batch: { maxSize: 0, maxWaitMs: 1, handler: () => {} } },
      /batch\.maxSize/,
    ],
  ])('are rejected with an invalid %s', (_field, more, problem) => {
    const options = { consumerGroup: 'stock', listeners: [listener('wrong', more)] };
    expect(() => new PushConsumer(bench.connection, options)).toThrow(problem);
  });

  it('are rejected when two have one name, match the same messages, or are combined with a handler', () => {
    const consumer = (listeners: MessageListener[], more = {}) =>
      new PushConsumer(bench.connection, { consumerGroup: 'stock', listeners, ...more });
    expect(() => consumer([listener('one'), listener('one', { topic: 'returns' })])).toThrow('LISTENER_NAME_TAKEN');
    expect(() => consumer([listener('one'), listener('two')])).toThrow('FILTERS_OVERLAP');
    expect(() => consumer([listener('one')], { handler: noting('x') })).toThrow('not both');
  });

  it('decide what is received: subscriptions cannot be changed with them', async () => {
    const consumer = await bench.listen([listener('one')]);
    await expect(consumer.subscribe({ topic: 'returns' })).rejects.toThrow('LISTENERS_DECIDE');
  });
});
