import { describe, expect, it } from '@jest/globals';
import { assertPushConsumerOptions } from '../../consumer/push-consumer-options.js';
import { assertListenerOptions, backoffPolicyOf, mergedOptions } from './listener-options.js';

const exponential = (more: object): object => ({ kind: 'exponential', initialMs: 1, maxMs: 5, multiplier: 2, ...more });

describe('the options of a listener', () => {
  const rejection =
    (options: object, place: Parameters<typeof assertListenerOptions>[1] = 'decorator'): (() => void) =>
    () =>
      assertListenerOptions('listener Orders.reserve', place, options);

  it.each([
    { ackBatchSize: 1_000 },
    { ackBatchSize: 0 },
    { invisibleDurationMs: 9_999 },
    { invisibleDurationMs: 12 * 3_600_000 + 1 },
  ])('are rejected where they are set, as the consumer would reject them: %j', (options) => {
    const [[field, value] = ['', 0]] = Object.entries(options);
    for (const place of ['defaults', 'listeners', 'decorator'] as const)
      expect(rejection(options, place)).toThrow(`option ${field} must be`);
    const consumer = { consumerGroup: 'g', subscriptions: [{ topic: 't' }], handler: () => {}, [field]: value };
    expect(() => assertPushConsumerOptions(consumer as never)).toThrow(`option ${field} must be`);
  });

  it('can all be set', () => {
    const exponential = { kind: 'exponential', initialMs: 1, maxMs: 5, multiplier: 2 };
    expect(
      rejection({
        name: 'a',
        consumerGroup: 'g',
        enabled: false,
        filter: { sql: 'a > 1' },
        onInvalid: 'retry',
        concurrency: 1,
        handlerTimeoutMs: 0.5,
        maxAttempts: 3,
        retryOn: [Error],
        deadLetterOn: () => true,
        onDeadLetter: () => {},
        deadLetterTopic: 'graves',
        manual: true,
        globalEnhancers: false,
        invisibleDurationMs: 10_000,
        maxBufferedMessages: 1,
        maxBufferedBytes: 1,
        ackBatchSize: 1,
        interceptors: [],
      }),
    ).not.toThrow();
    for (const backoff of [0, 5, [1, 2], exponential]) expect(rejection({ backoff })).not.toThrow();
    expect(rejection({ batch: { maxSize: 1, maxWaitMs: 0 }, handlerTimeoutMs: undefined })).not.toThrow();
  });

  it.each<[object, RegExp]>([
    [{ concurency: 3 }, /listener Orders\.reserve: option concurency is unknown; the options are .*concurrency/],
    [{ concurrency: '3' }, /option concurrency must be an integer of at least 1, not the string "3"/],
    [{ handlerTimeoutMs: '1000' }, /option handlerTimeoutMs must be a number above 0, not the string "1000"/],
    [{ maxAttempts: 1.5 }, /option maxAttempts/],
    [{ invisibleDurationMs: Number.NaN }, /option invisibleDurationMs/],
    [{ enabled: 'false' }, /option enabled must be true or false, not "false"/],
    [{ onInvalid: 'drop' }, /option onInvalid must be dead-letter or retry or a function, not "drop"/],
    [{ backoff: '5' }, /option backoff must be milliseconds, a list/],
    [{ backoff: [] }, /option backoff/],
    [{ backoff: [1, '2'] }, /option backoff/],
    [{ backoff: { kind: 'exponential', initialMs: 1 } }, /option backoff/],
    [{ backoff: { kind: 'other' } }, /option backoff\.kind must be exponential or customized, not "other"/],
    [{ backoff: exponential({ maxMs: 0 }) }, /option backoff\.maxMs must be at least initialMs \(1\), not 0/],
    [{ backoff: exponential({ multiplier: 0 }) }, /option backoff\.multiplier must be a number of at least 1, not 0/],
    [{ backoff: exponential({ maxMs: '5' }) }, /option backoff\.maxMs must be .*, not the string "5"/],
    [{ backoff: exponential({ factor: 2 }) }, /option backoff\.factor is unknown/],
    [{ backoff: -1 }, /option backoff/],
    [{ retryOn: ['NoStock'] }, /option retryOn must be a list of error classes or a function/],
    [{ deadLetterOn: Symbol('x') }, /option deadLetterOn/],
    [{ filter: 7 }, /option filter must be tags/],
    [{ deadLetterTopic: { topic: 'x' } }, /option deadLetterTopic must be a non-empty string/],
    [{ interceptors: [1] }, /option interceptors must be a list of functions/],
    [{ batch: { maxSize: 0, maxWaitMs: 1 } }, /option batch\.maxSize must be/],
    [{ batch: { maxSize: 1 } }, /option batch\.maxWaitMs is missing/],
    [{ batch: { maxSize: 1, maxBytes: 0.5, maxWaitMs: 1 } }, /option batch\.maxBytes must be/],
    [{ batch: { maxSize: 1, maxWaitMs: 1, size: 2 } }, /option batch\.size is unknown/],
  ])('are rejected by name: %j', (options, problem) => {
    expect(rejection(options)).toThrow(problem);
  });

  it('cannot all be set everywhere', () => {
    expect(rejection({ filter: 'a' }, 'defaults')).toThrow('option filter is unknown');
    expect(rejection({ batch: { maxSize: 1, maxWaitMs: 1 } }, 'listeners')).toThrow('option batch is unknown');
    expect(rejection({ filter: 'a' }, 'listeners')).not.toThrow();
  });

  it('are taken from the first layer that sets them; undefined counts as not set', () => {
    expect(
      mergedOptions([
        undefined,
        { concurrency: undefined, invisibleDurationMs: 1 },
        { concurrency: 2, invisibleDurationMs: 3 },
      ]),
    ).toEqual({
      concurrency: 2,
      invisibleDurationMs: 1,
    });
  });

  it('have a backoff in three forms', () => {
    const exponential = { kind: 'exponential', initialMs: 1, maxMs: 5, multiplier: 2 } as const;
    expect([5, [1, 2], exponential].map(backoffPolicyOf)).toEqual([
      { kind: 'customized', nextMs: [5] },
      { kind: 'customized', nextMs: [1, 2] },
      exponential,
    ]);
  });
});
