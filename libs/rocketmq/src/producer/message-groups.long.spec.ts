// Message groups over several brokers, behind one proxy that chooses the broker, and behind a proxy for each.

import { afterEach, describe, expect, it } from '@jest/globals';
import { queueOf, RecordingServer } from '../../../../test/fixtures/recording-server.js';
import { eventually } from '../../../../tools/until.js';
import { Connection } from '../client/connection.js';
import type { ConnectionOptions } from '../client/connection-options.js';
import { Code, MessageType } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { SendMessageRequest } from '../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import { placeOfMessageGroup } from '../protocol/model/layout.js';
import { TestBroker } from '../testing/test-broker.js';
import { Producer } from './producer.js';

const TOPIC = 'steps';
const GROUPS = Array.from({ length: 24 }, (_, index) => `group-${index}`);
const UNAVAILABLE = 'MESSAGE_GROUP_UNAVAILABLE not-sent';

describe('message groups of which a broker is missing', () => {
  const closers: (() => unknown)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function serverWith(): Promise<RecordingServer> {
    const server = new RecordingServer();
    await server.start();
    closers.push(() => server.stop());
    server.types = [MessageType.FIFO];
    return server;
  }

  /** Two brokers with two queues each. @param servers one for both, or one for each */
  async function started(servers: readonly RecordingServer[], options: Partial<ConnectionOptions> = {}) {
    const [first] = servers as [RecordingServer];
    let present = ['a', 'b'];
    for (const server of servers) {
      server.queues = () =>
        present.flatMap((name) => {
          const { endpoints } = servers[name === 'a' ? 0 : servers.length - 1] as RecordingServer;
          const queue = queueOf(TOPIC, name, Number(endpoints.split(':')[1]), server.types);
          return [queue, { ...queue, id: 1 }];
        });
    }
    const become = (names: string[]): void => {
      present = names;
    };
    const newProducer = (): Producer => {
      const connection = new Connection({ endpoints: first.endpoints, ...options });
      closers.push(() => connection.close());
      const producer = new Producer(connection);
      closers.push(() => producer.close());
      return producer;
    };
    return { become, newProducer, ...seenBy(newProducer()) };
  }

  function seenBy(producer: Producer) {
    /** @returns the groups whose messages were sent; the others failed as they must */
    const sendAll = async (timeoutMs = 5_000): Promise<string[]> => {
      const results = await Promise.allSettled(
        GROUPS.map((messageGroup) => producer.send({ topic: TOPIC, body: 'x', messageGroup }, { timeoutMs })),
      );
      const failed = results.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
      expect(new Set(failed.map(({ code, outcome }) => `${code} ${outcome}`))).toEqual(
        new Set(failed.length === 0 ? [] : [UNAVAILABLE]),
      );
      return GROUPS.filter((_, index) => results[index]?.status === 'fulfilled');
    };
    return { producer, sendAll };
  }

  const groupsAt = (server: RecordingServer): string[] =>
    server.of('sendMessage').map(({ request }) => {
      const [message] = (request as SendMessageRequest).messages;
      return message?.systemProperties?.messageGroup ?? '';
    });
  const layoutOf = (...names: string[]) => names.map((brokerName) => ({ brokerName, queues: 2 }));
  const placeIn = (group: string, ...names: string[]): string => {
    const { brokerName, queueId } = placeOfMessageGroup(layoutOf(...names), group);
    return `${brokerName}:${queueId}`;
  };

  it('are sent through a proxy for both brokers only where it would choose the same queue', async () => {
    const proxy = await serverWith();
    const { sendAll, become } = await started([proxy]);
    expect(await sendAll()).toEqual(GROUPS);
    for (const left of ['a', 'b']) {
      become([left]);
      const before = groupsAt(proxy).length;
      // The route in use is at most a second old.
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      const sent = await sendAll();
      expect(sent).toEqual(GROUPS.filter((group) => placeIn(group, 'a', 'b') === placeIn(group, left)));
      expect(groupsAt(proxy).slice(before).sort()).toEqual([...sent].sort());
      become(['b', 'a']);
      expect(await sendAll(10_000)).toEqual(GROUPS);
    }
  }, 60_000);

  it('are not sent by a batch either, which says so of each message', async () => {
    const proxy = await serverWith();
    const { producer, become } = await started([proxy], { topicLayouts: { [TOPIC]: 'a:2;b:2' } });
    become(['a']);
    const missing = GROUPS.find((group) => placeIn(group, 'a', 'b') !== placeIn(group, 'a')) ?? '';
    const bodies = ['1', '2'].map((body) => ({ topic: TOPIC, body, messageGroup: missing }));
    expect(await producer.sendBatch(bodies, { timeoutMs: 5_000 })).toMatchObject([
      { error: { code: 'MESSAGE_GROUP_UNAVAILABLE', outcome: 'not-sent' } },
      { error: { code: 'EARLIER_MESSAGE_FAILED', outcome: 'not-sent' } },
    ]);
    expect(groupsAt(proxy)).toEqual([]);
  }, 60_000);

  it.each(['a:1;b:2', 'a:3;b:2'])(
    'are not sent with the advice to wait when the layout declared is not that of the topic: %s',
    async (layout) => {
      const proxy = await serverWith();
      const { producer } = await started([proxy], { topicLayouts: { [TOPIC]: layout } });
      const sends = GROUPS.map((messageGroup) =>
        producer.send({ topic: TOPIC, body: 'x', messageGroup }, { timeoutMs: 5_000 }),
      );
      const failures = (await Promise.allSettled(sends)).flatMap((one) =>
        one.status === 'rejected' ? [one.reason] : [],
      );
      expect(failures.length).toBeGreaterThan(0);
      for (const { message } of failures) {
        expect(message).toContain(
          'the option topicLayouts, or the order configuration, is not the layout of the topic: correct it',
        );
        expect(message).not.toMatch(/could not connect|when the broker is back/);
      }
    },
  );

  it('are sent as usual on the other broker, where each has a proxy of its own', async () => {
    const servers = [await serverWith(), await serverWith()] as const;
    const { producer, sendAll, become } = await started(servers);
    expect(await sendAll()).toEqual(GROUPS);
    const ofSecond = groupsAt(servers[1]);
    expect(ofSecond.length).toBeGreaterThan(0);
    become(['b']);
    const { client } = producer as unknown as { client: { renewRoute(topic: string): void } };
    client.renewRoute(TOPIC);
    // Until it has the new route, it may send to both.
    await eventually(sendAll, (sent) => sent.length < GROUPS.length);
    const sent = await sendAll();
    expect([...sent].sort()).toEqual([...ofSecond].sort());
  }, 60_000);

  it('are sent to the same brokers with a declared layout and without, where each broker has a proxy of its own', async () => {
    const servers = [await serverWith(), await serverWith()] as const;
    const { sendAll, become } = await started(servers);
    become(['b', 'a']);
    expect(await sendAll()).toEqual(GROUPS);
    const [atFirst, atSecond] = servers.map((server) => groupsAt(server).sort());
    const declared = new Connection({ endpoints: servers[0].endpoints, topicLayouts: { [TOPIC]: 'a:2;b:2' } });
    closers.push(() => declared.close());
    const producer = new Producer(declared);
    closers.push(() => producer.close());
    expect(await seenBy(producer).sendAll()).toEqual(GROUPS);
    expect(groupsAt(servers[0]).sort()).toEqual([...(atFirst ?? []), ...(atFirst ?? [])].sort());
    expect(groupsAt(servers[1]).sort()).toEqual([...(atSecond ?? []), ...(atSecond ?? [])].sort());
  }, 60_000);

  it('are not sent elsewhere by a process that starts meanwhile, if their layout is declared', async () => {
    const proxy = await serverWith();
    const { sendAll, become, newProducer } = await started([proxy], { topicLayouts: { [TOPIC]: 'a:2;b:2' } });
    become(['a']);
    const same = GROUPS.filter((group) => placeIn(group, 'a', 'b') === placeIn(group, 'a'));
    expect(same).toEqual(expect.arrayContaining(await sendAll()));
    become(['a', 'b']);
    expect(await seenBy(newProducer()).sendAll(10_000)).toEqual(GROUPS);
  }, 60_000);

  it('wait for their brokers if their layout is declared and the server knows none of them', async () => {
    const proxy = await serverWith();
    const { producer, sendAll } = await started([proxy], { topicLayouts: { [TOPIC]: 'a:2;b:2' } });
    proxy.routeStatus = { code: Code.TOPIC_NOT_FOUND, message: 'no route' };
    await producer.start({ timeoutMs: 1_000 });
    expect(await sendAll(500)).toEqual([]);
    await expect(producer.send({ topic: 'others', body: 'x' }, { timeoutMs: 500 })).rejects.toMatchObject({
      code: 'TOPIC_NOT_FOUND',
    });
    const sent = sendAll(10_000);
    proxy.routeStatus = { code: Code.OK, message: '' };
    expect(await sent).toEqual(GROUPS);
  }, 60_000);
});

describe('a proxy that cannot connect to a broker', () => {
  it('and knows no broker of a topic any more has sent nothing either, where its layout is declared', async () => {
    const broker = await TestBroker.start({ topics: ['declared', 'others'].map((name) => ({ name, type: 'fifo' })) });
    const topicLayouts = { declared: 'embedded:4' };
    const connection = new Connection({ endpoints: broker.endpoints, topicLayouts });
    const producer = new Producer(connection);
    try {
      const message = 'CODE: 17  DESC: No topic route info in name server for the topic: it';
      const fail = (rpc: 'sendMessage' | 'queryRoute', times: number): void =>
        void broker.faults.add({ rpc, times, action: { kind: 'answer', code: 'TOPIC_NOT_FOUND', message } });
      const send = (topic: string) => producer.send({ topic, body: 'x', messageGroup: 'g' }, { timeoutMs: 5_000 });
      await Promise.all([send('declared'), send('others')]);
      fail('sendMessage', 1);
      await expect(send('others')).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND', outcome: 'rejected' });
      fail('sendMessage', 1);
      await send('declared');
    } finally {
      await producer.close();
      connection.close();
      await broker.stop();
    }
  }, 60_000);

  it('has sent nothing, and says so of message groups, too', async () => {
    const topics = [
      { name: TOPIC, type: 'fifo' as const },
      { name: 'orders', type: 'normal' as const },
    ];
    const broker = await TestBroker.start({ topics });
    const connection = new Connection({ endpoints: broker.endpoints });
    const producer = new Producer(connection);
    try {
      const message = 'connect to 127.0.0.1:10911 failed. RemotingConnectException. org.apache.rocketmq.x';
      const fail = (times: number): void =>
        void broker.faults.add({
          rpc: 'sendMessage',
          times,
          action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR', message },
        });
      fail(1);
      await producer.send({ topic: 'orders', body: 'x' });
      fail(1_000);
      // A send ends while it waits for its next attempt, which comes within three seconds, or seldom in the moment of an attempt.
      const failed = async (more: object): Promise<unknown> => {
        const send = () => producer.send({ topic: 'orders', body: 'x', ...more }, { timeoutMs: 2_000 });
        const isClear = (error: unknown): boolean => (error as { outcome?: string }).outcome === 'not-sent';
        return eventually(() => send().catch((error) => error), isClear);
      };
      const [usual, ordered] = await Promise.all([failed({}), failed({ topic: TOPIC, messageGroup: 'g' })]);
      expect(usual).toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent', retryable: true });
      const text = expect.stringContaining('the proxy cannot connect to the broker at 127.0.0.1:10911');
      expect(ordered).toMatchObject({ code: 'MESSAGE_GROUP_UNAVAILABLE', outcome: 'not-sent', message: text });
    } finally {
      await producer.close();
      connection.close();
      await broker.stop();
    }
  }, 60_000);
});
