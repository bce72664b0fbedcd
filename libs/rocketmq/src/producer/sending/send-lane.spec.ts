// Failures of messages that share a request. The contract suite tests that they arrive unchanged.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RecordingServer } from '../../../../../test/fixtures/recording-server.js';
import { Connection } from '../../client/connection.js';
import type { Queue, Route } from '../../client/route.js';
import type { SendMessageRequest } from '../../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import { SystemClock } from '../../support/clock.js';
import { TestBroker } from '../../testing/test-broker.js';
import { Producer } from '../producer.js';
import type { ProducerOptions } from '../producer-options.js';
import { SendLanes } from './send-lane.js';

const order = (body: string) => ({ topic: 'orders', body, messageId: body });
const numbered = (count: number) => Array.from({ length: count }, (_, index) => order(`m${index}`));

describe('messages that share a request', () => {
  let broker: TestBroker;
  let connection: Connection;
  let producer: Producer;

  beforeEach(async () => {
    broker = await TestBroker.start({ strict: true, topics: [{ name: 'orders' }] });
    connection = new Connection({ endpoints: broker.endpoints });
    producer = new Producer(connection, { topics: { orders: 'normal' } });
    await producer.start();
  });

  afterEach(async () => {
    await producer.close();
    connection.close();
    await broker.stop();
  });

  const bodies = (): string[] => broker.messages('orders').map(({ body }) => body.toString());
  const delay = (delayMs: number, times = 1): void => {
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs }, times });
  };
  /** As many requests as may be in flight, each delayed. */
  async function occupy(delayMs: number): Promise<Promise<unknown>[]> {
    delay(delayMs, 4);
    const sends: Promise<unknown>[] = [];
    for (const body of ['o1', 'o2', 'o3', 'o4']) {
      sends.push(producer.send(order(body)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return sends;
  }

  it('fail together, each with the same error', async () => {
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' }, times: 3 });
    const outcomes = await Promise.allSettled(numbered(10).map((one) => producer.send(one)));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'INTERNAL_SERVER_ERROR', outcome: 'unknown' },
      });
    }
  });

  it('are retried with their ids when the answer is lost', async () => {
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' } });
    const receipts = await Promise.all(numbered(10).map((one) => producer.send(one)));
    expect(receipts.map(({ messageId }) => messageId)).toEqual(numbered(10).map(({ messageId }) => messageId));
    expect(bodies().sort()).toEqual([...numbered(10), ...numbered(10)].map(({ body }) => body).sort());
  });

  it('are sent one by one when the server rejects the request, so that only the invalid one fails', async () => {
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'ILLEGAL_MESSAGE_KEY' }, times: 2 });
    const outcomes = await Promise.allSettled(numbered(10).map((one) => producer.send(one)));
    const failed = outcomes.filter(({ status }) => status === 'rejected');
    expect(failed).toMatchObject([{ reason: { code: 'ILLEGAL_MESSAGE_KEY', outcome: 'rejected' } }]);
    expect(bodies()).toHaveLength(9);
  });

  it('keep each its own deadline', async () => {
    delay(200);
    const late = producer.send(order('late'), { timeoutMs: 50 });
    const patient = producer.send(order('patient'));
    await expect(late).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'unknown' });
    await patient;
    expect(bodies()).toEqual(['late', 'patient']);
  });

  it('keep each its own caller, which can abort while they are in flight', async () => {
    delay(200);
    const caller = new AbortController();
    const left = producer.send(order('left'), { signal: caller.signal });
    const patient = producer.send(order('patient'));
    setTimeout(() => caller.abort(new Error('the customer left')), 20);
    await expect(left).rejects.toThrow('the customer left');
    await patient;
    expect(bodies()).toEqual(['left', 'patient']);
  });

  it('do not include one whose caller aborts before the request is sent', async () => {
    const occupied = await occupy(200);
    const caller = new AbortController();
    const left = producer.send(order('left'), { signal: caller.signal });
    const patient = producer.send(order('patient'));
    caller.abort(new Error('the customer left'));
    await expect(left).rejects.toThrow('the customer left');
    await Promise.all([patient, ...occupied]);
    expect(bodies()).not.toContain('left');
  });

  it('leave no timer behind when the last waiting one is aborted', async () => {
    const occupied = await occupy(100);
    const caller = new AbortController();
    const left = producer.send(order('left'), { signal: caller.signal });
    setImmediate(() => caller.abort(new Error('the customer left')));
    await expect(left).rejects.toThrow('the customer left');
    await Promise.all(occupied);
    expect(bodies()).toHaveLength(4);
  });

  it('wait for requests that hang only for a share of their timeout', async () => {
    const ended: string[] = [];
    const occupied = (await occupy(4_500)).map((one) => one.then(() => ended.push('occupied')));
    await producer.send(order('urgent'), { timeoutMs: 2_000 }).then(() => ended.push('urgent'));
    await Promise.all(occupied);
    expect(ended[0]).toBe('urgent');
  });

  it('are sent before the producer closes', async () => {
    const occupied = await occupy(50);
    const sends = numbered(50).map((one) => producer.send(one));
    await producer.close();
    await Promise.all([...sends, ...occupied]);
    expect(bodies()).toHaveLength(54);
  });
});

describe('a request of several messages', () => {
  let server: RecordingServer;
  let connection: Connection;
  let producer: Producer;

  async function start(options: ProducerOptions): Promise<void> {
    server = new RecordingServer();
    await server.start();
    connection = new Connection({ endpoints: server.endpoints });
    producer = new Producer(connection, options);
    await producer.send(order('first'));
  }

  afterEach(async () => {
    await producer.close();
    connection.close();
    server.stop();
  });

  /** The bodies of each request but the first. */
  const requests = (): string[][] =>
    server
      .of('sendMessage')
      .slice(1)
      .map(({ request }) => (request as SendMessageRequest).messages.map(({ body }) => body.toString()));

  it('contains the messages of one turn, in the order of the calls', async () => {
    await start({ serverVersion: '5.4.0' });
    const messages = numbered(100);
    const receipts = await Promise.all(messages.map((one) => producer.send(one)));
    expect(requests().length).toBeLessThan(10);
    expect(requests().flat()).toEqual(messages.map(({ body }) => body));
    // This server returns an entry for each message, which is valid, too.
    expect(receipts.map(({ messageId }) => messageId)).toEqual(messages.map(({ messageId }) => messageId));
  });

  it('contains no more bytes than the server certainly accepts', async () => {
    await start({ serverVersion: '5.4.0' });
    const body = (index: number): string => `${index}`.padEnd(300_000);
    await Promise.all(Array.from({ length: 20 }, (_, index) => producer.send({ topic: 'orders', body: body(index) })));
    const sizes = requests().map((bodies) => bodies.join('').length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1024 * 1024);
    expect(requests().flat()).toHaveLength(20);
  });

  it('does not mix two topics', async () => {
    await start({ serverVersion: '5.4.0' });
    const topics = ['orders', 'invoices'];
    await Promise.all(numbered(40).map((one, index) => producer.send({ ...one, topic: topics[index % 2] ?? '' })));
    const mixed = server.of('sendMessage').map(({ request }) => {
      return new Set((request as SendMessageRequest).messages.map(({ topic }) => topic?.name)).size;
    });
    expect(Math.max(...mixed)).toBe(1);
  });

  it('is not used when the broker versions are unknown', async () => {
    await start({});
    await Promise.all(numbered(40).map((one) => producer.send(one)));
    expect(requests().map((bodies) => bodies.length)).toEqual(Array.from({ length: 40 }, () => 1));
  });
});

describe('lanes', () => {
  it('to servers that the route of their topic no longer names are forgotten', () => {
    const lanes = new SendLanes({ clock: new SystemClock() } as unknown as ConstructorParameters<typeof SendLanes>[0]);
    const routeTo = (port: number): { route: Route; queue: Queue } => {
      const endpoint = { scheme: 'ipv4', addresses: [{ host: '127.0.0.1', port }] };
      const queue = { topic: 'orders', id: 0, endpoint } as unknown as Queue;
      return { route: { topic: 'orders', queues: [queue], types: [], layout: [] }, queue };
    };
    const laneTo = (port: number) => {
      const { route, queue } = routeTo(port);
      return lanes.lane(queue, route);
    };
    const first = laneTo(8081);
    expect(laneTo(8081)).toBe(first);
    laneTo(8082);
    expect(laneTo(8081)).not.toBe(first);
  });
});
