import { describe, expect, it } from '@jest/globals';
import { UsageError } from '../../support/errors.js';
import { HandlerHost, type InstanceWrapper } from '../common/handler-host.js';
import { defineTopic, type TopicLike, toTopicDefinition } from '../messages/topic-definition.js';
import { planConsumers } from './listener-plan.js';
import type { RocketMQListenerOptions } from './listener-settings.js';
import type { FoundListener } from './rocketmq.explorer.js';

class Orders {}

function listener(methodName: string, topic: TopicLike, options: RocketMQListenerOptions = {}): FoundListener {
  const host = new HandlerHost({} as InstanceWrapper, Orders.prototype);
  return { host, methodName, topic: toTopicDefinition(topic), options };
}

function problemOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof UsageError) return `${error.code} ${error.message}`;
    throw error;
  }
  throw new Error('nothing was rejected');
}

describe('the plan of consumers', () => {
  it('gives listeners of one group and different topics one consumer', () => {
    const found = [listener('a', 'one'), listener('b', 'two'), listener('c', 'one', { consumerGroup: 'other' })];
    const plan = planConsumers(found, { consumerGroup: 'mine' });
    expect(plan.map(({ consumerGroup, listeners }) => [consumerGroup, listeners.map(({ name }) => name)])).toEqual([
      ['mine', ['Orders.a', 'Orders.b']],
      ['other', ['Orders.c']],
    ]);
  });

  it('lets listeners override the decorator, the decorator the defaults, and undefined nothing', () => {
    const found = [
      listener('a', 'one', { concurrency: 2, invisibleDurationMs: 20_000, filter: undefined }),
      listener('b', 'two', { consumerGroup: 'other', concurrency: undefined }),
      listener('c', 'three', { consumerGroup: 'third', filter: { sql: 'a > 1' } }),
    ];
    const plan = planConsumers(found, {
      consumerGroup: 'mine',
      defaults: { concurrency: 1, handlerTimeoutMs: 100, invisibleDurationMs: 10_000 },
      listeners: { 'Orders.a': { concurrency: 3, invisibleDurationMs: undefined, filter: 'x || y' } },
    });
    expect(plan.map(({ settings }) => settings)).toEqual([
      { invisibleDurationMs: 20_000 },
      { invisibleDurationMs: 10_000 },
      { invisibleDurationMs: 10_000 },
    ]);
    const [first, second] = plan.map(({ listeners }) => listeners[0]?.settings);
    expect(first).toMatchObject({ concurrency: 3, handlerTimeoutMs: 100, invisibleDurationMs: 20_000 });
    expect(plan[0]?.listeners[0]?.filter).toEqual({ kind: 'tag', expression: 'x || y' });
    expect(second).toMatchObject({ concurrency: 1, handlerTimeoutMs: 100, invisibleDurationMs: 10_000 });
    expect(plan[1]?.listeners[0]?.filter).toEqual({ kind: 'tag', expression: '*' });
    expect(plan[2]?.listeners[0]?.filter).toEqual({ kind: 'sql', expression: 'a > 1' });
  });

  it('takes the group from listeners, decorator, defaults and module, in this order', () => {
    const found = [listener('a', 'one', { consumerGroup: 'decorator' }), listener('b', 'two')];
    const groups = (options: Parameters<typeof planConsumers>[1]): string[] =>
      planConsumers(found, options).map(({ consumerGroup }) => consumerGroup);
    expect(groups({ consumerGroup: 'module' })).toEqual(['decorator', 'module']);
    expect(groups({ consumerGroup: 'module', defaults: { consumerGroup: 'defaults' } })).toEqual([
      'decorator',
      'defaults',
    ]);
    expect(groups({ consumerGroup: 'module', listeners: { 'Orders.a': { consumerGroup: 'named' } } })).toEqual([
      'named',
      'module',
    ]);
  });

  it('creates nothing for a disabled listener, nor anything with consumers: false', () => {
    const found = [listener('a', 'one', { enabled: false }), listener('b', 'two')];
    const options = { consumerGroup: 'mine' };
    expect(planConsumers(found, options)[0]?.listeners.map(({ name }) => name)).toEqual(['Orders.b']);
    expect(planConsumers(found, { ...options, consumers: false })).toEqual([]);
    expect(planConsumers(found, { ...options, defaults: { enabled: false }, listeners: {} })).toEqual([]);
  });

  it('requires an ordered group as soon as one of its topics is ordered', () => {
    const found = [listener('a', 'one'), listener('b', defineTopic('steps', { type: 'fifo' }))];
    expect(planConsumers(found, { consumerGroup: 'mine' })[0]?.requireFifo).toBe(true);
    expect(planConsumers(found.slice(0, 1), { consumerGroup: 'mine' })[0]?.requireFifo).toBe(false);
  });

  it('merges the filters of listeners on one topic', () => {
    const found = [
      listener('a', 'one', { filter: 'x || y' }),
      listener('b', 'one', { filter: 'z' }),
      listener('c', 'two', { filter: { sql: 'a > 1' } }),
    ];
    expect(planConsumers(found, { consumerGroup: 'mine' })[0]?.subscriptions).toEqual([
      { topic: 'one', filter: { kind: 'tag', expression: 'x || y || z' } },
      { topic: 'two', filter: { kind: 'sql', expression: 'a > 1' } },
    ]);
  });

  it('rejects listeners of one group that match the same messages, and names both', () => {
    const found = [listener('a', 'one'), listener('b', 'one', { name: 'second' })];
    expect(problemOf(() => planConsumers(found, { consumerGroup: 'mine' }))).toMatch(
      /FILTERS_OVERLAP.*Orders\.a and second \(Orders\.b\).*"one".*"mine"/,
    );
  });

  it('rejects options of one consumer that disagree and names both listeners', () => {
    const found = [
      listener('a', 'one', { invisibleDurationMs: 10_000 }),
      listener('b', 'two', { invisibleDurationMs: 20_000 }),
    ];
    expect(problemOf(() => planConsumers(found, { consumerGroup: 'mine' }))).toMatch(
      /LISTENERS_DISAGREE.*Orders\.a and Orders\.b.*invisibleDurationMs/,
    );
  });

  it('applies the option of one listener to its whole consumer, and distinguishes functions', () => {
    const interceptor = async (): Promise<void> => {};
    const found = [
      listener('a', 'one', { interceptors: [interceptor] }),
      listener('b', 'two'),
      listener('c', 'three', { interceptors: [interceptor] }),
    ];
    expect(planConsumers(found, { consumerGroup: 'mine' })[0]?.settings).toEqual({ interceptors: [interceptor] });
    found.push(listener('d', 'four', { interceptors: [async () => {}] }));
    expect(problemOf(() => planConsumers(found, { consumerGroup: 'mine' }))).toMatch(/disagree on interceptors/);
  });

  it('rejects a manual listener without a timeout, or with batches', () => {
    const plan = (options: RocketMQListenerOptions) => () =>
      planConsumers([listener('a', 'one', options)], { consumerGroup: 'mine' });
    expect(problemOf(plan({ manual: true }))).toMatch(/Orders\.a: manual needs handlerTimeoutMs/);
    const batch = { maxSize: 2, maxWaitMs: 1 };
    expect(problemOf(plan({ manual: true, handlerTimeoutMs: 1, batch }))).toMatch(
      /Orders\.a: a batch listener cannot be manual/,
    );
  });

  it('rejects a deadLetterTopic that is not of type normal', () => {
    const found = [listener('a', 'one', { deadLetterTopic: defineTopic('steps', { type: 'fifo' }) as never })];
    expect(problemOf(() => planConsumers(found, { consumerGroup: 'mine' }))).toMatch(
      /MESSAGE_TYPE_MISMATCH.*Orders\.a.*"steps".*fifo/,
    );
  });

  it('rejects a listener without a group', () => {
    expect(problemOf(() => planConsumers([listener('a', 'one')], {}))).toMatch(/NO_CONSUMER_GROUP.*Orders\.a/);
  });

  it('rejects an illegal group and names its listener', () => {
    const found = [listener('a', 'one', { consumerGroup: 'not ok' })];
    expect(problemOf(() => planConsumers(found, {}))).toMatch(/ILLEGAL_CONSUMER_GROUP.*Orders\.a.*"not ok"/);
  });

  it('rejects an illegal timeout and names its listener', () => {
    const found = [listener('a', 'one', { handlerTimeoutMs: 0 })];
    expect(problemOf(() => planConsumers(found, { consumerGroup: 'mine' }))).toMatch(
      /Orders\.a: option handlerTimeoutMs must be a number above 0, not 0/,
    );
  });

  it('rejects a name that no listener has and names those that exist', () => {
    const found = [listener('a', 'one'), listener('b', 'two', { name: 'second' })];
    const options = { consumerGroup: 'mine', listeners: { 'Orders.b': { concurrency: 1 } } };
    expect(problemOf(() => planConsumers(found, options))).toMatch(/UNKNOWN_LISTENER.*"Orders\.b".*Orders\.a, second/);
  });

  it("accepts a name of another application with unknownListeners: 'ignore'", () => {
    const options = { consumerGroup: 'mine', listeners: { 'Others.a': {} }, unknownListeners: 'ignore' } as const;
    expect(planConsumers([listener('a', 'one')], options)).toHaveLength(1);
  });

  it('rejects a name that two listeners have', () => {
    const found = [listener('a', 'one'), listener('a', 'two')];
    expect(problemOf(() => planConsumers(found, { consumerGroup: 'mine' }))).toMatch(/LISTENER_NAME_TAKEN.*Orders\.a/);
  });
});
