// Following a topic by several iterations: a browser that connects again, a process that starts again.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection } from '../../client/connection.js';
import { Producer } from '../../producer/producer.js';
import { TestBroker } from '../../testing/test-broker.js';
import { RocketMQAdmin } from '../rocketmq-admin.js';
import type { TailedMessages } from './tail.js';

let broker: TestBroker;
let admin: RocketMQAdmin;
let producer: Producer;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  broker = await TestBroker.start({ strict: true, nameServerPort: 0, topics: [{ name: 'orders' }, { name: 'other' }] });
  closers.push(() => broker.stop());
  admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  closers.push(() => admin.close());
  const connection = new Connection({ endpoints: broker.endpoints });
  closers.push(() => connection.close());
  producer = new Producer(connection);
  await producer.start();
  closers.push(() => producer.close());
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Follows until this many messages were read, and ends. @returns them, with where to go on */
async function followed(count: number, after?: string, topic = 'orders') {
  const bodies: string[] = [];
  let next = '';
  for await (const batch of admin.tailMessages(topic, { after })) {
    bodies.push(...bodiesOf(batch));
    next = batch.next;
    if (bodies.length >= count) break;
  }
  return { bodies, next };
}

const bodiesOf = ({ messages }: TailedMessages): string[] => messages.map(({ body }) => body.toString());
const send = async (...bodies: string[]): Promise<void> => {
  for (const body of bodies) await producer.send({ topic: 'orders', body });
};

describe('following a topic after another iteration', () => {
  it('has what came between them, also when the first one saw nothing', async () => {
    await send('before');
    const { bodies, next } = await followed(0);
    expect(bodies).toEqual([]);
    await send('between 1', 'between 2');
    const later = await followed(2, next);
    expect(later.bodies.sort()).toEqual(['between 1', 'between 2']);
  });

  it('has nothing twice, whatever time it has', async () => {
    const { next: start } = await followed(0);
    const all = Array.from({ length: 30 }, (_, index) => `m-${index}`);
    await send(...all.slice(0, 20));
    const first = await followed(20, start);
    await send(...all.slice(20));
    const second = await followed(10, first.next);
    expect([...first.bodies, ...second.bodies].sort()).toEqual([...all].sort());
  });

  it('has what is in queues that were added between them', async () => {
    await admin.createTopic({ topic: 'growing', type: 'normal', queues: 1 });
    const { next } = await followed(0, undefined, 'growing');
    await admin.deleteTopic('growing');
    await admin.createTopic({ topic: 'growing', type: 'normal', queues: 4 });
    const all = Array.from({ length: 8 }, (_, index) => `m-${index}`);
    for (const body of all) await producer.send({ topic: 'growing', body });
    expect((await followed(8, next, 'growing')).bodies.sort()).toEqual(all);
  });

  it('rejects what is no position of an iteration', () => {
    expect(() => admin.tailMessages('orders', { after: 'orders/0/1' })).toThrow('ILLEGAL_POSITION');
  });
});
