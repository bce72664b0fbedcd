import { describe, expect, it } from '@jest/globals';
import { checkOptions } from './module-options.js';
import type { RocketMQModuleOptions } from './rocketmq.interfaces.js';

const refusal = (options: unknown): (() => unknown) => {
  return () => checkOptions(options as RocketMQModuleOptions);
};

describe('the module options', () => {
  it('take a cluster, or a broker of this application', () => {
    expect(checkOptions({ endpoints: 'host:8081;host2:8081' }).target).toEqual({
      kind: 'cluster',
      endpoints: 'host:8081;host2:8081',
    });
    expect(checkOptions({ endpoints: 'embedded:' }).target).toEqual({ kind: 'embedded', data: undefined });
    expect(checkOptions({ endpoints: 'embedded:./data' }).target).toEqual({ kind: 'embedded', data: './data' });
  });

  it('keep what the endpoints say of TLS', () => {
    const endpoints = 'https://host:8081;host2:8081';
    expect(checkOptions({ endpoints }).target).toEqual({ kind: 'cluster', endpoints });
  });

  it('refuse undefined endpoints instead of guessing', () => {
    expect(refusal({ endpoints: undefined })).toThrow(/option endpoints is undefined.*ROCKETMQ_ENDPOINTS/);
    expect(refusal({})).toThrow(/option endpoints is undefined/);
  });

  it('refuse endpoints that are none', () => {
    expect(refusal({ endpoints: 'host' })).toThrow(/ILLEGAL_ENDPOINTS.*"host"/);
    expect(refusal({ endpoints: '' })).toThrow(/ILLEGAL_ENDPOINTS/);
  });

  it('refuse an unknown option by name', () => {
    expect(refusal({ endpoints: 'embedded:', group: 'x' })).toThrow(/option group is unknown.*consumerGroup/);
  });

  it('refuse wrong values by field', () => {
    const endpoints = 'embedded:';
    expect(refusal({ endpoints, consumerGroup: 'a b' })).toThrow(/option consumerGroup "a b"/);
    expect(refusal({ endpoints, startTimeoutMs: 0 })).toThrow(/option startTimeoutMs must be a number of at least 1/);
    expect(refusal({ endpoints, requestTimeoutMs: Number.NaN })).toThrow(/option requestTimeoutMs/);
    expect(refusal({ endpoints, shutdownGraceMs: -1 })).toThrow(/option shutdownGraceMs/);
    expect(refusal(undefined)).toThrow(/option options must be an object/);
  });

  it('have defaults', () => {
    const { startTimeoutMs, shutdownGraceMs } = checkOptions({ endpoints: 'embedded:' });
    expect({ startTimeoutMs, shutdownGraceMs }).toEqual({ startTimeoutMs: 30_000, shutdownGraceMs: 20_000 });
  });
});
