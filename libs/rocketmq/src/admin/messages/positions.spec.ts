import { describe, expect, it } from '@jest/globals';
import type { StoredMessageView } from './message-view.js';
import { originTopicOf } from './origin-topic.js';
import { formatTail, parsePositions, parseTail, positionOf } from './positions.js';

describe('the position of a message', () => {
  it.each(['broker-a', 'a/b,c', 'a b%2F', 'ü'])('names it on the broker %j, and is where a page begins', (broker) => {
    const position = positionOf({ broker, queueId: 3, queueOffset: Number.MAX_SAFE_INTEGER });
    expect(parsePositions(position, 'oldest-first')).toEqual([{ broker, queueId: 3, offset: Number.MAX_SAFE_INTEGER }]);
    expect(() => parsePositions(position, 'newest-first')).toThrow('ILLEGAL_POSITION');
  });

  it('beyond every message, as a caller may invent it, is as good as the end', () => {
    const [position] = parsePositions(`a/0/${'9'.repeat(19)}`, 'oldest-first');
    expect(position).toEqual({ broker: 'a', queueId: 0, offset: Number.MAX_SAFE_INTEGER });
  });

  it('of all queues that are followed is not taken for that of a page, and the other way round', () => {
    const followed = [
      { broker: 'a/b', queueId: 0, offset: 7 },
      { broker: 'c', queueId: 1, offset: 0 },
    ];
    for (const tail of [
      { fromMs: 1_700_000_000_000, positions: followed },
      { fromMs: 0, positions: [] },
    ])
      expect(parseTail(formatTail(tail))).toEqual(tail);
    for (const wrong of [
      '',
      'tail:',
      'tail:x',
      'tail:a/0/1',
      'tail:1,a/0/1,',
      'a/0/1',
      'newest:a/0/1',
      'tail:1,%zz/0/1',
    ])
      expect(() => parseTail(wrong)).toThrow('ILLEGAL_POSITION');
    expect(() => parsePositions(formatTail({ fromMs: 0, positions: followed }), 'oldest-first')).toThrow(
      'ILLEGAL_POSITION',
    );
  });
});

describe('the topic that a message was sent to', () => {
  const origin = (topic: string, systemProperties: Record<string, string> = {}, originTopic?: string) =>
    originTopicOf({ topic, systemProperties, originTopic } as unknown as StoredMessageView);

  it.each([
    ['is that in which it lies', 'orders', {}, 'orders'],
    ['is in the name of a retry topic', '%RETRY%g_orders', { ORIGIN_GROUP: 'g' }, 'orders'],
    ['is kept by a retry topic of the older protocol', '%RETRY%g', { RETRY_TOPIC: 'orders' }, 'orders'],
    ['is not known of a retry topic that does not say for which group it is', '%RETRY%g_orders', {}, undefined],
    ['is kept by a dead letter', '%DLQ%g', { RETRY_TOPIC: 'orders' }, 'orders'],
    ['is in the retry topic that a dead letter names', '%DLQ%g', { RETRY_TOPIC: '%RETRY%g_orders' }, 'orders'],
    ['is not known of a dead letter that does not say', '%DLQ%g', {}, undefined],
    ['is kept by a delayed message', 'rmq_sys_wheel_timer', { REAL_TOPIC: 'orders' }, 'orders'],
    ['is kept by a half message', 'RMQ_SYS_TRANS_HALF_TOPIC', { REAL_TOPIC: 'orders' }, 'orders'],
    ['is not known of other messages of the server', 'SCHEDULE_TOPIC_XXXX', {}, undefined],
  ])('%s: %s', (_, topic, properties: Record<string, string>, expected) => {
    expect(origin(topic, properties)).toBe(expected);
  });

  it('is what its page says, if it does', () => {
    expect(origin('%RETRY%g', {}, 'orders')).toBe('orders');
  });
});
