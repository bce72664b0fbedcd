import { describe, expect, it } from '@jest/globals';
import { parseTopicRoute, writableQueues } from './cluster.js';

/** The queues of a route in their order, as `broker:queue`. */
function queuesOf(brokers: Readonly<Record<string, { perm?: number; queues?: number }>>, more: object = {}): string[] {
  const names = Object.keys(brokers);
  const brokerDatas = names.map((brokerName) => ({ brokerName, cluster: 'main', brokerAddrs: { 0: '127.0.0.1:1' } }));
  const queueDatas = Object.entries(brokers).map(([brokerName, { perm = 6, queues = 1 }]) => {
    return { brokerName, perm, readQueueNums: queues, writeQueueNums: queues };
  });
  const body = Buffer.from(JSON.stringify({ brokerDatas, queueDatas, ...more }));
  const frame = { code: 0, opaque: 1, isResponse: true, isOneWay: false, version: 0, remark: '', fields: {}, body };
  return writableQueues(parseTopicRoute(frame)).map(({ broker, queueId }) => `${broker.name}:${queueId}`);
}

describe('the queues of a topic', () => {
  it('are in the order of Java, whatever the language of this process would prefer', () => {
    expect(queuesOf({ 'broker-a': {}, 'broker-B': {}, broker_a: {}, 'Broker-c': {} })).toEqual([
      'Broker-c:0',
      'broker-B:0',
      'broker-a:0',
      'broker_a:0',
    ]);
  });

  it('can be written where the topic can', () => {
    expect(queuesOf({ a: { perm: 4 }, b: { queues: 2 } })).toEqual(['b:0', 'b:1']);
  });

  it('are those that the name server keeps for ordered messages, if it keeps some', () => {
    const brokers = { a: { queues: 4 }, b: { queues: 4 } };
    expect(queuesOf(brokers, { orderTopicConf: 'b:2;a:1;gone:3' })).toEqual(['a:0', 'b:0', 'b:1']);
    expect(queuesOf(brokers, { orderTopicConf: '' })).toHaveLength(8);
  });

  it.each([
    { brokerDatas: [{ brokerName: 'a', brokerAddrs: null }, null, 1] },
    { brokerDatas: [{ brokerName: 'a', brokerAddrs: { 0: 1 } }] },
    { brokerDatas: { a: 1 } },
    { queueDatas: [null, 1] },
    { queueDatas: { a: 1 } },
    { orderTopicConf: 7, queueDatas: null },
  ])('are none where the answer is not a route: %j', (more) => {
    expect(queuesOf({ a: {} }, more)).toEqual([]);
  });
});
