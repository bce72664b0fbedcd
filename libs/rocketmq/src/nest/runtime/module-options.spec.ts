import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { checkOptions } from './module-options.js';
import type { RocketMQModuleOptions } from './rocketmq.interfaces.js';

const rejection = (options: unknown): (() => unknown) => {
  return () => checkOptions(options as RocketMQModuleOptions);
};

describe('the module options', () => {
  it('accept a cluster, or an embedded broker', () => {
    expect(checkOptions({ endpoints: 'host:8081;host2:8081' }).target).toEqual({
      kind: 'cluster',
      endpoints: 'host:8081;host2:8081',
    });
    expect(checkOptions({ endpoints: 'embedded:' }).target).toEqual({ kind: 'embedded', data: undefined });
    expect(checkOptions({ endpoints: 'embedded:./data' }).target).toEqual({ kind: 'embedded', data: './data' });
  });

  it('keep the scheme of the endpoints', () => {
    const endpoints = 'https://host:8081;host2:8081';
    expect(checkOptions({ endpoints }).target).toEqual({ kind: 'cluster', endpoints });
  });

  it('reject undefined endpoints instead of guessing', () => {
    expect(rejection({ endpoints: undefined })).toThrow(/option endpoints is undefined.*ROCKETMQ_ENDPOINTS/);
    expect(rejection({})).toThrow(/option endpoints is undefined/);
  });

  it('reject invalid endpoints', () => {
    expect(rejection({ endpoints: 'host' })).toThrow(/ILLEGAL_ENDPOINTS.*"host"/);
    expect(rejection({ endpoints: '' })).toThrow(/ILLEGAL_ENDPOINTS/);
  });

  it('reject an unknown option by name', () => {
    expect(rejection({ endpoints: 'embedded:', group: 'x' })).toThrow(/option group is unknown.*consumerGroup/);
  });

  it('reject invalid values by field', () => {
    const endpoints = 'embedded:';
    expect(rejection({ endpoints, consumerGroup: 'a b' })).toThrow(/option consumerGroup "a b"/);
    expect(rejection({ endpoints, startTimeoutMs: 0 })).toThrow(/option startTimeoutMs must be a number of at least 1/);
    expect(rejection({ endpoints, requestTimeoutMs: Number.NaN })).toThrow(/option requestTimeoutMs/);
    expect(rejection({ endpoints, shutdownGraceMs: -1 })).toThrow(/option shutdownGraceMs/);
    expect(rejection(undefined)).toThrow(/option options must be an object/);
  });

  it('reject strings where a boolean, a number or an object is required, as environment variables provide them', () => {
    const wrong = (field: string, value: unknown) =>
      expect(rejection({ endpoints: 'embedded:', [field]: value })).toThrow(`option ${field} must be`);
    for (const field of ['consumers', 'useBootstrapEndpoints']) wrong(field, 'false');
    for (const field of ['startTimeoutMs', 'shutdownGraceMs', 'requestTimeoutMs', 'credentialsRefreshMs'])
      wrong(field, '5000');
    for (const field of ['addressMapping', 'resolveTopic', 'defaults', 'listeners', 'producer', 'events'])
      wrong(field, 'x');
    for (const field of ['clock', 'logger', 'codec', 'transactionLog', 'inbox', 'topics', 'hooks']) wrong(field, {});
    wrong('requests', 'x');
    for (const field of ['consumerGroup', 'namespace', 'topicPrefix', 'groupPrefix', 'transactionOwner'])
      wrong(field, 7);
    expect(rejection({ endpoints: 'embedded:', requests: { application: 'a', timeoutMs: '5' } })).toThrow(
      'option requests.timeoutMs must be a number of at least 1, not the string "5"',
    );
    expect(rejection({ endpoints: 'embedded:', logger: new Logger() })).toThrow(/a Logger, which has debug and info/);
    expect(rejection({ endpoints: 'embedded:', unknownListeners: 'warn' })).toThrow(
      /must be error or ignore, not "warn"/,
    );
  });

  it.each<[string, unknown, string]>([
    ['nameServer', 9876, 'must be a non-empty string, not 9876'],
    ['nameServer', null, 'must be a non-empty string, not null'],
    ['proxies', ['a:8080'], 'must be a non-empty string, not an array'],
    ['startTimeoutMs', null, 'must be a number of at least 1, not null'],
    ['shutdownGraceMs', 5n, 'must be a number of at least 0, not 5n'],
    ['namespace', 5n, 'must be a string, not 5n'],
    ['producer', [], 'must be an object, not an array'],
  ])('reject %s: %p by name', (field, value, problem) => {
    expect(rejection({ endpoints: 'embedded:', [field]: value })).toThrow(
      `[ILLEGAL_OPTION] RocketMQModule: option ${field} ${problem}`,
    );
  });

  it.each<[string, object, string]>([
    ['interceptors', { interceptors: {} }, 'must be a list of functions, not an object'],
    ['compression', { compression: 'gzip' }, 'must be an object, not "gzip"'],
    [
      'compression.thresholdBytes',
      { compression: { thresholdBytes: '5' } },
      'must be an integer of at least 1, not the string "5"',
    ],
    ['compression.treshold', { compression: { treshold: 5 } }, 'is unknown; the options are thresholdBytes, level'],
    ['brokerVersions', { brokerVersions: '5.3.0' }, 'must be a function, not "5.3.0"'],
    ['maxAttempts', { maxAttempts: 2 ** 40 }, 'must be an integer from 1 to 2147483647, not 1099511627776'],
    ['whenFull', { whenFull: 5n }, 'must be wait or reject, not 5n'],
    ['firstCheckAfterMs', { firstCheckAfterMs: 1 }, 'must be 310000 (localTransactionTimeoutMs plus 10 s)'],
    ['topics', { topics: {} }, 'is unknown'],
  ])('reject producer.%s by its path', (field, producer, problem) => {
    const wrong = rejection({ endpoints: '127.0.0.1:9', producer });
    expect(wrong).toThrow(`RocketMQModule: option producer.${field} ${problem}`);
    expect(wrong).toThrow(expect.objectContaining({ field: `producer.${field}` }));
  });

  it('reject a topic that is none', () => {
    const wrong = (...topics: unknown[]) => expect(rejection({ endpoints: '127.0.0.1:9', topics }));
    wrong({ name: 'a', type: 'nomal' }).toThrow(
      'RocketMQModule: option topics[0].type must be normal or fifo or delay or transaction or priority or lite, not "nomal"',
    );
    wrong({ name: 'a', type: 'normal' }, 'b').toThrow('option topics[1] must be a topic from defineTopic(), not "b"');
    wrong(null).toThrow('option topics[0] must be a topic from defineTopic(), not null');
    wrong({ name: 'a', type: 'normal' }).not.toThrow();
  });

  it('reject proxies without name servers, which they are added to', () => {
    const proxies = 'a:8080';
    expect(rejection({ endpoints: 'a:8081', proxies })).toThrow('option proxies needs nameServer');
    expect(rejection({ endpoints: 'a:8081', proxies, nameServer: 'a:9876' })).not.toThrow();
    expect(rejection({ endpoints: 'name-server:a:9876', proxies })).not.toThrow();
    expect(rejection({ endpoints: 'embedded:', proxies })).not.toThrow();
  });

  it('reject hooks that are never called', () => {
    const wrong = (events: object) => expect(rejection({ endpoints: 'embedded:', events }));
    wrong({ onDeadLeter() {} }).toThrow(/option events has no hook onDeadLeter; the hooks are .*onDeadLetter/);
    wrong({ onDeadLetter: 5 }).toThrow('option events is invalid: onDeadLetter must be a function, not 5');
    class Hooks {
      readonly seen: string[] = [];
      onLost(): void {
        this.seen.push('lost');
      }
    }
    wrong(new Hooks()).not.toThrow();
  });

  it('reject values that an option does not have', () => {
    const wrong = (options: object) => expect(rejection({ endpoints: 'embedded:', ...options }));
    wrong({ provision: 'update' }).toThrow('option provision must be create or check or off, not "update"');
    wrong({ whenUnavailable: 'wait' }).toThrow('option whenUnavailable must be fail or degraded, not "wait"');
  });

  it('can be undefined, which counts as not set', () => {
    const nothing = { consumers: undefined, codec: undefined, consumerGroup: undefined, requests: undefined };
    expect(rejection({ endpoints: 'embedded:', ...nothing })).not.toThrow();
  });

  it('have defaults', () => {
    const { startTimeoutMs, shutdownGraceMs } = checkOptions({ endpoints: 'embedded:' });
    expect({ startTimeoutMs, shutdownGraceMs }).toEqual({ startTimeoutMs: 30_000, shutdownGraceMs: 20_000 });
  });
});
