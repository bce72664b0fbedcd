import { afterAll, describe, expect, it } from '@jest/globals';
import { Connection } from '../client/connection.js';
import { PushConsumer } from './push-consumer.js';
import { SimpleConsumer } from './simple/simple-consumer.js';

const connection = new Connection({ endpoints: '127.0.0.1:9' });
const group = { consumerGroup: 'stock', subscriptions: [{ topic: 'orders' }] };
afterAll(() => connection.close());

describe('the options of a push consumer', () => {
  const rejection = (options: object) => () =>
    new PushConsumer(connection, { ...group, handler: () => {}, ...options });
  const backoff = { kind: 'exponential', initialMs: 10, maxMs: 50, multiplier: 2 };

  it.each<[string, unknown, string]>([
    ['concurrency', null, 'must be an integer of at least 1, not null'],
    ['concurrency', '5', 'must be an integer of at least 1, not the string "5"'],
    ['maxBufferedBytes', 5n, 'must be a number above 0, not 5n'],
    ['invisibleDurationMs', '20000', 'must be 10000 to 43200000, not the string "20000"'],
    ['ackBatchSize', 257, 'must be an integer from 1 to 256, not 257'],
    ['consume', 'push', 'must be pop or pull, not "push"'],
    ['consume', 'pull', 'cannot be pull with a proxy; connect to name servers'],
    ['requireFifo', 'false', 'must be true or false, not "false"'],
    ['interceptors', {}, 'must be a list of functions, not an object'],
    ['subscriptions', 'orders', 'must be a list of subscriptions, not "orders"'],
    ['handler', 5, 'must be a function, not 5'],
    ['retryOn', ['NoStock'], 'must be a list of error classes or a function, not an array'],
    ['backoff', 5, 'must be an object, not 5'],
    ['events', { onFailed: 'log' }, 'is invalid: onFailed must be a function, not "log"'],
    ['concurency', 5, 'is unknown; the options are'],
  ])('are rejected by name: %s: %p', (field, value, problem) => {
    expect(rejection({ [field]: value })).toThrow(`[ILLEGAL_OPTION] option ${field} ${problem}`);
  });

  it.each<[string, object, string]>([
    ['kind', { kind: 'linear' }, 'must be exponential or customized, not "linear"'],
    ['maxMs', { maxMs: 5 }, 'must be at least initialMs (10), not 5'],
    ['maxMs', { maxMs: undefined }, 'is missing'],
    ['multiplier', { multiplier: 0 }, 'must be a number of at least 1, not 0'],
    ['factor', { factor: 2 }, 'is unknown; the options are kind, initialMs, maxMs, multiplier'],
  ])('are rejected with a wrong field in backoff: %s', (field, wrong, problem) => {
    expect(rejection({ backoff })).not.toThrow();
    expect(rejection({ backoff: { ...backoff, ...wrong } })).toThrow(`option backoff.${field} ${problem}`);
  });

  it('are rejected in a listener, which is named', () => {
    const listener = (more: object) => () => {
      const listeners = [{ name: 'one', topic: 'orders', ...more }];
      return new PushConsumer(connection, { consumerGroup: 'stock', listeners });
    };
    const handler = (): void => {};
    const wrong: [object, string][] = [
      [{ handler, concurency: 3 }, 'option concurency is unknown'],
      [{ handler, handlerTimeoutMs: '5' }, 'option handlerTimeoutMs must be a number above 0, not the string "5"'],
      [{ handler, rateLimit: { max: 0, perMs: 1 } }, 'option rateLimit.max must be an integer from 1 to 100000, not 0'],
      [{ handler, rateLimit: { max: 5 } }, 'option rateLimit.perMs is missing'],
      [{ batch: { handler, maxSize: 2 } }, 'option batch.maxWaitMs is missing'],
      [{ batch: { handler, maxSize: 2, maxWait: 1 } }, 'option batch.maxWait is unknown'],
    ];
    for (const [more, problem] of wrong) expect(listener(more)).toThrow(`listener one: ${problem}`);
    expect(listener({ handler })).not.toThrow();
  });
});

describe('the options of a simple consumer', () => {
  it.each<[string, unknown, string]>([
    ['longPollingTimeoutMs', '5000', 'must be 1 to 20000, not the string "5000"'],
    ['maxUnpackedBytes', null, 'must be an integer of at least 1, not null'],
    ['maxBufferedBytes', 5n, 'must be a number above 0, not 5n'],
    ['maxMessages', 5, 'is unknown; the options are'],
  ])('are rejected by name: %s: %p', (field, value, problem) => {
    const rejection = (): SimpleConsumer => new SimpleConsumer(connection, { ...group, [field]: value });
    expect(rejection).toThrow(`[ILLEGAL_OPTION] option ${field} ${problem}`);
  });
});
