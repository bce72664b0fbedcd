// `topic create` and `topic show` on a cluster whose brokers have the topic with different settings.

import { afterEach, describe, expect, it } from '@jest/globals';
import { call, words } from '../../../../test/fixtures/command-line.js';
import { type BrokerScript, ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';

const cluster = new ScriptedCluster();
afterEach(() => cluster.close());

interface Held {
  type: string;
  queues: number;
}

/** Keeps what a request leaves out, as the server does. Undefined: the topic is missing. */
function holding(held: Held | undefined): BrokerScript {
  let now = held;
  return ({ code, fields }) => {
    if (code === 17) {
      const type = /^\+message\.type=(\w+)$/.exec(fields.attributes ?? '')?.[1];
      now = { type: type ?? now?.type ?? 'NORMAL', queues: Number(fields.writeQueueNums) };
    }
    if (code !== 351) return { body: '{"offsetTable":{}}' };
    if (now === undefined) return { code: 17 };
    const { type, queues } = now;
    const config = { readQueueNums: queues, writeQueueNums: queues, perm: 6, attributes: { 'message.type': type } };
    return { body: JSON.stringify({ topicName: 'orders', ...config }) };
  };
}

async function start(...held: readonly (Held | undefined)[]) {
  const { nameServer, brokers } = await cluster.start(held.map(holding));
  const changed = () =>
    brokers.map(({ requests }) => requests.filter(({ code }) => code === 17).map(({ fields }) => fields.attributes));
  const topic = (line: string) => call([...words(`topic ${line}`), '--name-server', nameServer.address]);
  return { topic, changed };
}

const normal = { type: 'NORMAL', queues: 4 };
const fifo = { type: 'FIFO', queues: 8 };

describe('a topic with different settings on its brokers', () => {
  it('exists as it is: creating it without settings changes nothing, and names the settings of each broker', async () => {
    const { topic, changed } = await start(normal, fifo);
    expect(await topic('create orders')).toEqual({
      code: 0,
      out: 'topic orders has type normal and 4 queues on broker-0; fifo and 8 queues on broker-1\n',
      err: '',
    });
    expect((await topic('show orders')).out).toContain(
      'topic orders: normal, 4 queues on broker-0; fifo, 8 queues on broker-1, 0 messages\n',
    );
    expect(changed()).toEqual([[], []]);
  });

  it('keeps the type of each broker when only its queues are altered', async () => {
    const { topic } = await start(normal, fifo);
    expect(await topic('create orders --queues 16 --yes')).toEqual({
      code: 0,
      out: 'topic orders has type normal and 16 queues on broker-0; fifo and 16 queues on broker-1\n',
      err: '',
    });
  });

  it('prints the result of each broker as JSON', async () => {
    const { topic } = await start(normal, fifo);
    expect(JSON.parse((await topic('create orders --type fifo --yes --json')).out)).toMatchObject({
      topic: 'orders',
      type: 'fifo',
      queues: 8,
      brokers: [
        { name: 'broker-0', type: 'fifo', queues: 4 },
        { name: 'broker-1', type: 'fifo', queues: 8 },
      ],
    });
  });

  it('keeps a type that cannot be requested', async () => {
    const { topic, changed } = await start({ type: 'MIXED', queues: 4 });
    expect((await topic('create orders --queues 8 --yes')).out).toContain('mixed and 8 queues on each broker');
    expect(changed()).toEqual([['']]);
  });

  it('gets the type of the others on a broker that lacks it, or must be given one where they differ', async () => {
    const one = await start(fifo, undefined);
    expect((await one.topic('create orders')).out).toBe('topic orders has type fifo and 8 queues on each broker\n');
    expect(one.changed()).toEqual([[], ['+message.type=FIFO']]);
    const two = await start(normal, undefined, fifo);
    expect(await two.topic('create orders')).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining(
        '"orders" does not exist on broker-1; it is normal on broker-0; it is fifo on broker-2; nothing was changed; give the type',
      ),
    });
    expect(two.changed()).toEqual([[], [], []]);
  });
});
