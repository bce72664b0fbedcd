import { describe, expect, it } from '@jest/globals';
import { ConfigurationError, durationOf, portOf, requiredText } from './environment.js';

const limits = { otherwiseMs: 30_000, maxMs: 86_400_000 };

describe('settings from the environment', () => {
  it('reads a duration with its unit', () => {
    expect(durationOf({ ORDER_PAYMENT_TIMEOUT: '30m' }, 'ORDER_PAYMENT_TIMEOUT', limits)).toBe(1_800_000);
    expect(durationOf({ ORDER_PAYMENT_TIMEOUT: '' }, 'ORDER_PAYMENT_TIMEOUT', limits)).toBe(30_000);
  });

  it.each(['soon', '30', '0s', '-5s', '25h'])('rejects the duration "%s" and names the variable', (text) => {
    const read = () => durationOf({ ORDER_PAYMENT_TIMEOUT: text }, 'ORDER_PAYMENT_TIMEOUT', limits);
    expect(read).toThrow(ConfigurationError);
    expect(read).toThrow(/ORDER_PAYMENT_TIMEOUT must be a duration with its unit/);
  });

  it('reads a port, and rejects an invalid one', () => {
    expect(portOf({ PORT: '0' }, 'PORT', 3000)).toBe(0);
    expect(portOf({}, 'PORT', 3000)).toBe(3000);
    expect(() => portOf({ PORT: '70000' }, 'PORT', 3000)).toThrow('PORT must be a port from 0 to 65535, not "70000"');
  });

  it('describes a missing setting', () => {
    expect(() => requiredText({}, 'ROCKETMQ_ENDPOINTS', 'the address of RocketMQ')).toThrow(
      'ROCKETMQ_ENDPOINTS is not set; set it to the address of RocketMQ',
    );
  });
});
