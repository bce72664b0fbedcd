import { describe, expect, it } from '@jest/globals';
import { parseVersion } from './broker-versions.js';
import { isRetryTopicOf, isSystemGroup, kindOfTopic, originOfRetryTopic } from './system-names.js';

describe('kindOfTopic', () => {
  it.each([
    ['orders', 'user'],
    ['%RETRY%g_orders', 'retry'],
    ['%DLQ%g', 'dead-letter'],
    ['%LMQ%x', 'system'],
    ['TBW102', 'system'],
    ['SELF_TEST_TOPIC', 'system'],
    ['rmq_sys_wheel_timer', 'system'],
    ['DefaultCluster', 'system'],
  ])('classifies %s as %s', (topic, kind) => {
    expect(kindOfTopic(topic, new Set(['DefaultCluster']))).toBe(kind);
  });
});

describe('isSystemGroup', () => {
  it.each(['TOOLS_CONSUMER', 'CID_RMQ_SYS_TRANS', 'CID_ONSAPI_PULL'])('is true for %s', (group) => {
    expect(isSystemGroup(group)).toBe(true);
  });

  it('is false for a group that only resembles one', () => {
    expect(isSystemGroup('TOOLS_CONSUMER_2')).toBe(false);
  });
});

describe('a retry topic', () => {
  it('contains its origin, in both formats', () => {
    expect(originOfRetryTopic('g', '%RETRY%g_orders')).toBe('orders');
    expect(originOfRetryTopic('g', '%RETRY%g+orders')).toBe('orders');
  });

  it('of consumers of the remoting protocol contains no origin', () => {
    expect(originOfRetryTopic('g', '%RETRY%g')).toBeUndefined();
    expect(isRetryTopicOf('g', '%RETRY%g')).toBe(true);
  });

  it('of another group is not mistaken for one of this group', () => {
    expect(isRetryTopicOf('g', '%RETRY%g2_orders')).toBe(false);
    expect(isRetryTopicOf('g', 'orders')).toBe(false);
  });
});

describe('parseVersion', () => {
  it.each([
    ['V5_5_0', { major: 5, minor: 5, patch: 0 }],
    ['V5_4_0_SNAPSHOT', { major: 5, minor: 4, patch: 0 }],
    ['', undefined],
    ['HIGHER_VERSION', undefined],
  ])('reads %j', (text, version) => {
    expect(parseVersion(text)).toEqual(version);
  });
});
