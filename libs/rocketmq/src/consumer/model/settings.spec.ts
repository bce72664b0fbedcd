import { describe, expect, it } from '@jest/globals';
import { toDuration } from '../../protocol/grpc/duration.js';
import { consumerSettings, DEFAULT_SETTINGS } from './settings.js';

describe('the settings of a consumer', () => {
  it('are read from the answer of the server', () => {
    const value = { subscriptions: [], fifo: true, receiveBatchSize: 8, longPollingTimeout: toDuration(7_000) };
    const next = [toDuration(1_000), toDuration(5_000)];
    const settings = consumerSettings({
      backoffPolicy: { maxAttempts: 3, strategy: { $case: 'customizedBackoff', value: { next } } },
      pubSub: { $case: 'subscription', value },
      clientProperties: {},
    });
    expect(settings).toEqual({
      isFifo: true,
      isLite: false,
      liteSubscriptionQuota: 2_000,
      maxLiteTopicLength: 64,
      maxAttempts: 3,
      backoff: { kind: 'customized', nextMs: [1_000, 5_000] },
      receiveBatchSize: 8,
      longPollingTimeoutMs: 7_000,
    });
  });

  it('support the exponential backoff, too', () => {
    const value = { initial: toDuration(10), max: toDuration(1_000), multiplier: 2 };
    const backoffPolicy = { maxAttempts: 3, strategy: { $case: 'exponentialBackoff' as const, value } };
    const { backoff } = consumerSettings({ backoffPolicy, clientProperties: {} });
    expect(backoff).toEqual({ kind: 'exponential', initialMs: 10, maxMs: 1_000, multiplier: 2 });
  });

  it('have defaults where the server sends no value', () => {
    expect(consumerSettings({ clientProperties: {} })).toEqual(DEFAULT_SETTINGS);
  });
});
