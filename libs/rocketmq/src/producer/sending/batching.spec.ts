import { describe, expect, it } from '@jest/globals';
import type { Queue, Route } from '../../client/route.js';
import { silentLogger } from '../../support/logger.js';
import { type BatchingOptions, BatchSafety, type SeenBrokers } from './batching.js';

function route(topic: string, ...brokers: string[]): Route {
  const queues = brokers.map((brokerName, id) => {
    const endpoint = { addresses: [{ host: brokerName, port: 1 }] };
    return {
      topic,
      id,
      brokerName,
      brokerId: 0,
      endpoint,
      readable: true,
      writable: true,
      types: [],
      layout: [],
    } as unknown as Queue;
  });
  return { topic, queues, types: [], layout: [] };
}

const real = { keepsBatches: false };
const embedded = { keepsBatches: true };
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function safety(options: BatchingOptions): BatchSafety {
  return new BatchSafety(options, silentLogger);
}

/** Answers with the current value. */
function versions(...brokers: [name: string, keepsBatches: boolean][]): SeenBrokers {
  return { brokers: brokers.map(([name, keepsBatches]) => ({ name, keepsBatches })), failures: [] };
}

describe('messages share a request', () => {
  const orders = route('orders', 'a', 'b');

  it('only on an embedded broker when no version is configured', () => {
    expect([safety({}).allows(orders, real), safety({}).allows(orders, embedded)]).toEqual([false, true]);
  });

  it.each([
    ['5.3.3', false],
    ['5.0.0', false],
    ['4.9.8', false],
    ['5.4.0', true],
    ['5.4.0-SNAPSHOT', true],
    ['5.10.0', true],
    ['6.0.0', true],
  ])('on brokers with the configured version %s: %s', (serverVersion, may) => {
    const configured = safety({ serverVersion });
    expect([configured.allows(orders, real), configured.allows(orders, embedded)]).toEqual([may, may]);
  });

  it('never when batching is off', () => {
    const off = safety({ batching: 'off', serverVersion: '5.5.0' });
    expect([off.allows(orders, real), off.allows(orders, embedded)]).toEqual([false, false]);
  });

  it('once every broker of the cluster is known to be new enough', async () => {
    const asked = safety({ brokerVersions: async () => versions(['a', true], ['b', true]) });
    expect(asked.allows(orders, real)).toBe(false);
    await settled();
    expect(asked.allows(orders, real)).toBe(true);
  });

  it.each<[string, () => Promise<SeenBrokers>]>([
    ['one of them is old', async () => versions(['a', true], ['b', false])],
    [
      'an old one is in the cluster, which a proxy may choose',
      async () => versions(['a', true], ['b', true], ['c', false]),
    ],
    ['one of them is not known', async () => versions(['a', true])],
    ['one did not answer', async () => ({ ...versions(['a', true], ['b', true]), failures: ['c'] })],
    ['nobody answers', () => Promise.reject(new Error('no name server'))],
  ])('not while %s', async (_, brokerVersions) => {
    const asked = safety({ brokerVersions });
    asked.allows(orders, real);
    await settled();
    expect(asked.allows(orders, real)).toBe(false);
  });

  it('not after a route has changed, until the versions were fetched again', async () => {
    let answer = versions(['a', true], ['b', true]);
    const asked = safety({ brokerVersions: async () => answer });
    asked.allows(orders, real);
    await settled();
    answer = versions(['a', true], ['b', true], ['c', true]);
    const changed = route('orders', 'a', 'b', 'c');
    expect(asked.allows(changed, real)).toBe(false);
    await settled();
    expect(asked.allows(changed, real)).toBe(true);
    answer = versions(['a', true], ['b', true], ['c', false]);
    expect(asked.allows(route('orders', 'a', 'c'), real)).toBe(false);
    await settled();
    expect(asked.allows(route('orders', 'a', 'c'), real)).toBe(false);
  });

  it('as before when a refreshed route is the same', async () => {
    let asks = 0;
    const asked = safety({
      brokerVersions: async () => {
        asks++;
        return versions(['a', true], ['b', true]);
      },
    });
    asked.allows(orders, real);
    await settled();
    expect([asked.allows(route('orders', 'a', 'b'), real), asks]).toEqual([true, 1]);
  });

  it('not because of an answer that a later request has superseded', async () => {
    const answers: ((brokers: SeenBrokers) => void)[] = [];
    const asked = safety({ brokerVersions: () => new Promise((resolve) => answers.push(resolve)) });
    asked.allows(orders, real);
    const changed = route('orders', 'a', 'c');
    asked.allows(changed, real);
    answers[1]?.(versions(['a', true], ['c', false]));
    answers[0]?.(versions(['a', true], ['b', true], ['c', true]));
    await settled();
    expect(asked.allows(changed, real)).toBe(false);
  });
});
