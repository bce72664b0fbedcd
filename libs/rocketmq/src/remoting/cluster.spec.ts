import { describe, expect, it } from '@jest/globals';
import { layoutText } from '../protocol/model/layout.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { parseTopicRoute, writableLayout } from './cluster.js';

function routeOf(
  brokers: Readonly<Record<string, { perm?: number; queues?: number }>>,
  more: object = {},
): RemotingFrame {
  const names = Object.keys(brokers);
  const brokerDatas = names.map((brokerName) => ({ brokerName, cluster: 'main', brokerAddrs: { 0: '127.0.0.1:1' } }));
  const queueDatas = Object.entries(brokers).map(([brokerName, { perm = 6, queues = 1 }]) => {
    return { brokerName, perm, readQueueNums: queues, writeQueueNums: queues };
  });
  const body = Buffer.from(JSON.stringify({ brokerDatas, queueDatas, ...more }));
  return { code: 0, opaque: 1, isResponse: true, isOneWay: false, version: 0, remark: '', fields: {}, body };
}

/** The queues that can be written, as `broker:queues;broker:queues`. */
function queuesOf(...about: Parameters<typeof routeOf>): string {
  return layoutText(writableLayout(parseTopicRoute(routeOf(...about))));
}

describe('the queues of a topic', () => {
  it('are in the order of Java, whatever the language of this process would prefer', () => {
    const brokers = { 'broker-a': {}, 'broker-B': {}, broker_a: {}, 'Broker-c': {} };
    expect(queuesOf(brokers)).toBe('Broker-c:1;broker-B:1;broker-a:1;broker_a:1');
  });

  it('can be written where the topic can', () => {
    expect(queuesOf({ a: { perm: 4 }, b: { queues: 2 } })).toBe('b:2');
  });

  it('have an order configuration where the name server shows one', () => {
    const orderIn = (orderTopicConf: unknown) => parseTopicRoute(routeOf({ a: {} }, { orderTopicConf })).order;
    expect(orderIn('b:2;a:1;')).toEqual([
      { brokerName: 'b', queues: 2 },
      { brokerName: 'a', queues: 1 },
    ]);
    for (const none of ['', 'a', 'a:x', 'a:0', 'a:1;a:2', 'a:99999', 7, null]) expect(orderIn(none)).toBeUndefined();
  });

  it.each([
    { brokerDatas: [{ brokerName: 'a', brokerAddrs: null }, null, 1] },
    { brokerDatas: [{ brokerName: 'a', brokerAddrs: { 0: 1 } }] },
    { brokerDatas: { a: 1 } },
    { queueDatas: [null, 1] },
    { queueDatas: { a: 1 } },
    { orderTopicConf: 7, queueDatas: null },
  ])('are none where the answer is not a route: %j', (more) => {
    expect(queuesOf({ a: {} }, more)).toBe('');
  });
});
