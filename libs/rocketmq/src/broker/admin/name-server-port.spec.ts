import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { BrokerWire } from '../../../../../tools/wire/broker-wire.js';
import { encodeFrame, FrameDecoder, type OutgoingFrame, type RemotingFrame } from '../../protocol/remoting/frame.js';
import type { EmbeddedBroker } from '../embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../embedded-broker-options.js';

const wire = new BrokerWire();
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await wire.close();
});

async function connected(broker: EmbeddedBroker): Promise<Socket> {
  const port = Number(broker.nameServerEndpoint.split(':').at(-1));
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

/** Sends requests in one write and waits for `count` responses. */
async function ask(broker: EmbeddedBroker, requests: readonly OutgoingFrame[], count = requests.length) {
  const socket = await connected(broker);
  const decoder = new FrameDecoder();
  const answers: RemotingFrame[] = [];
  socket.write(Buffer.concat(requests.map(encodeFrame)));
  while (answers.length < count) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    answers.push(...decoder.push(chunk));
  }
  return answers;
}

const topicFields = (topic: string, fields: Record<string, string> = {}) => {
  return { topic, readQueueNums: '4', writeQueueNums: '4', perm: '6', attributes: '+message.type=FIFO', ...fields };
};
const group = (config: object): OutgoingFrame => ({ code: 200, opaque: 1, body: Buffer.from(JSON.stringify(config)) });

describe('the name server port', () => {
  it('answers each request with its number, and applies a change before the next request', async () => {
    const broker = await wire.broker({ nameServerPort: 0 });
    const answers = await ask(broker, [
      { code: 351, opaque: 7, fields: { topic: 'orders' } },
      { code: 17, opaque: 8, fields: topicFields('orders') },
      { code: 351, opaque: 9, fields: { topic: 'orders' } },
    ]);
    // The change is answered when it is stored; what does not wait for that is answered before.
    answers.sort((a, b) => a.opaque - b.opaque);
    expect(answers.map(({ code, opaque, isResponse }) => [code, opaque, isResponse])).toEqual([
      [17, 7, true],
      [0, 8, true],
      [0, 9, true],
    ]);
    expect(JSON.parse(String(answers[2]?.body))).toMatchObject({
      topicName: 'orders',
      writeQueueNums: 4,
      perm: 6,
      attributes: { 'message.type': 'FIFO' },
    });
  });

  it('executes a one-way request without a response', async () => {
    const broker = await wire.broker({ nameServerPort: 0 });
    const answers = await ask(
      broker,
      [
        { code: 17, opaque: 1, isOneWay: true, fields: topicFields('orders') },
        { code: 105, opaque: 2, fields: { topic: 'orders' } },
      ],
      1,
    );
    expect(answers.map(({ opaque, code }) => [opaque, code])).toEqual([[2, 0]]);
  });

  it.each([
    ['an unknown code', { code: 999 }, 3, '999'],
    ['an illegal topic name', { code: 17, fields: topicFields('a b') }, 29, 'a b'],
    [
      'a type that does not exist',
      { code: 17, fields: topicFields('t', { attributes: '+message.type=MIXED' }) },
      1,
      'MIXED',
    ],
    ['another attribute', { code: 17, fields: topicFields('t', { attributes: '+queue.type=x' }) }, 1, 'queue.type'],
    ['no queues', { code: 17, fields: topicFields('t', { writeQueueNums: '0' }) }, 1, 'writeQueueNums'],
    ['more read than write queues', { code: 17, fields: topicFields('t', { readQueueNums: '8' }) }, 1, '8 and 4'],
    [
      'a topic that is only read',
      { code: 17, fields: topicFields('t', { perm: '4' }) },
      1,
      'perm 6 (read and write), not 4',
    ],
    ['a group that is no JSON', { code: 200, body: Buffer.from('{') }, 1, 'JSON'],
    ['an illegal group name', group({ groupName: ' ' }), 29, 'blank'],
    ['a group with too many deliveries', group({ groupName: 'g', retryMaxTimes: 2 ** 31 }), 1, 'retryMaxTimes'],
    [
      'a group that never waits',
      group({ groupName: 'g', groupRetryPolicy: { type: 'EXPONENTIAL', exponentialRetryPolicy: { initial: 0 } } }),
      1,
      'groupRetryPolicy',
    ],
    ['a group that is unknown to a strict broker', { code: 352, fields: { group: 'g' } }, 26, 'g'],
    ['a topic that is unknown', { code: 105, fields: { topic: 't' } }, 17, 't'],
  ])('rejects %s and says what is wrong', async (_, request, code, remark) => {
    const broker = await wire.broker({ nameServerPort: 0, strict: true });
    const [answer] = await ask(broker, [{ opaque: 1, ...request }]);
    expect(answer).toMatchObject({ code, remark: expect.stringContaining(remark) });
    expect(broker.inside.store.get(['topic', 't'])).toBeUndefined();
    expect(broker.inside.store.get(['group', 'g'])).toBeUndefined();
  });

  it('closes a connection that does not speak remoting, or sends too much, and serves the others', async () => {
    const broker = await wire.broker({ nameServerPort: 0 });
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.from([0, 80, 0, 1]),
      Buffer.from([0, 0, 0, 6, 0, 0, 0, 2, 1, 1]),
    ]) {
      const socket = await connected(broker);
      socket.write(bytes);
      await once(socket, 'close');
    }
    expect(await ask(broker, [{ code: 106, opaque: 1 }])).toHaveLength(1);
  });

  it('reports its address: the port of the first start, and the advertised host', async () => {
    const broker = await wire.broker({ nameServerPort: 0, advertisedAddress: { host: 'broker.test', port: 1 } });
    const endpoint = broker.nameServerEndpoint;
    const [answer] = await ask(broker, [{ code: 106, opaque: 1 }]);
    expect(String(answer?.body)).toContain(`broker.test:${endpoint.split(':').at(-1)}`);
    await broker.stop();
    await broker.start();
    expect(broker.nameServerEndpoint).toBe(endpoint);
  });

  it('is in routes with the port under which it is published, and the host that all can reach', async () => {
    const address = async (options: EmbeddedBrokerOptions) => {
      const broker = await wire.broker({ nameServerPort: 0, topics: [{ name: 'orders' }], ...options });
      const [route] = await ask(broker, [{ code: 105, opaque: 1, fields: { topic: 'orders' } }]);
      const { brokerDatas } = JSON.parse(String(route?.body)) as { brokerDatas: { brokerAddrs: object }[] };
      return brokerDatas.map(({ brokerAddrs }) => Object.values(brokerAddrs));
    };
    const published = { host: 'broker.test', port: 18_081, nameServerPort: 19_876 };
    expect(await address({ advertisedAddress: published })).toEqual([['broker.test:19876']]);
    const [[everywhere = ''] = []] = await address({ host: '0.0.0.0' });
    expect(everywhere).toMatch(/^\d+\.\d+\.\d+\.\d+:\d+$/);
    expect(everywhere).not.toContain('0.0.0.0');
  });

  it('is off by default', async () => {
    const broker = await wire.broker();
    expect(() => broker.nameServerEndpoint).toThrow('nameServerPort');
  });

  it('fails to start when its port is in use, and leaves no port open', async () => {
    const first = await wire.broker({ nameServerPort: 0 });
    const taken = Number(first.nameServerEndpoint.split(':').at(-1));
    await expect(wire.broker({ nameServerPort: taken })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  });
});
