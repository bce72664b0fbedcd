import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type BrokerScript, ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import { encodeAnswer, type ScriptedServer } from '../../../../test/fixtures/scripted-remoting-server.js';
import { until } from '../../../../tools/until.js';
import { Connection } from '../client/connection.js';
import { PushConsumer } from '../consumer/push-consumer.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import { encodeFrame } from '../protocol/remoting/frame.js';

const VERSION = 513;
const TOPIC = 'chats';
/** The consumer repeats its set every 30 s, which would hide what is tested here. */
const BEFORE_A_REPETITION_MS = 20_000;
const CONFIG = JSON.stringify({ attributes: { 'lite.bind.topic': TOPIC, 'lite.sub.model': 'Exclusive' } });

/** Two brokers; the second one answers changes of subscriptions when the test says so. */
describe('a consumer of lite topics on two brokers', () => {
  const cluster = new ScriptedCluster();
  const closers: (() => Promise<unknown> | unknown)[] = [];
  let brokers: ScriptedServer[];
  let consumer: PushConsumer;
  let lost: string[];
  let isHeld: (name: string) => boolean;
  const sockets: (Socket | undefined)[] = [];
  let release: () => void;

  const changesOf = (index: number): string[] =>
    (brokers[index]?.requests ?? [])
      .filter(({ code }) => code === CODES.liteSubscriptionCtl)
      .flatMap(({ body }) => {
        const { subscriptionSet } = JSON.parse(body) as {
          subscriptionSet: { action: string; liteTopicSet: string[] }[];
        };
        return subscriptionSet.map(({ action, liteTopicSet }) => `${action} ${liteTopicSet.join()}`);
      });
  const countOf = (index: number, code: number): number =>
    (brokers[index]?.requests ?? []).filter((request) => request.code === code).length;

  const script =
    (index: number): BrokerScript =>
    ({ code, opaque, body }, socket) => {
      const answer = { version: VERSION };
      if (code === CODES.heartBeat) sockets[index] = socket;
      if (code === CODES.getTopicConfig) return { ...answer, body: '{"attributes":{"message.type":"LITE"}}' };
      if (code === CODES.getSubscriptionGroupConfig) return { ...answer, body: CONFIG };
      if (code === CODES.popLiteMessage) return { ...answer, code: RESPONSE_CODES.pollingTimeout };
      if (code !== CODES.liteSubscriptionCtl || index === 0 || !isHeld(body)) return answer;
      release = () => void socket?.write(encodeAnswer(opaque, answer));
      return undefined;
    };

  beforeEach(async () => {
    lost = [];
    isHeld = () => false;
    release = () => {};
    const { nameServer, brokers: started } = await cluster.start([script(0), script(1)]);
    brokers = started;
    const connection = new Connection({ endpoints: `name-server:${nameServer.address}`, requestTimeoutMs: 10_000 });
    consumer = new PushConsumer(connection, {
      consumerGroup: 'readers',
      subscriptions: [{ topic: TOPIC }],
      liteTopics: ['a'],
      deadLetterTo: async () => {},
      handler: () => {},
      events: { onLiteTopicLost: (_topic, liteTopic) => void lost.push(liteTopic) },
    });
    closers.push(
      () => connection.close(),
      () => consumer.close({ shutdownGraceMs: 0 }),
    );
  });

  afterEach(async () => {
    isHeld = () => false;
    release();
    for (const close of closers.splice(0).reverse()) await close();
    await cluster.close();
  });

  /** Another consumer of the exclusive group subscribes to it at a broker. */
  function takeOver(index: number, liteTopic: string): void {
    const fields = { liteTopic, consumerGroup: 'readers' };
    const frame = { code: CODES.notifyUnsubscribeLite, opaque: 1_000, isOneWay: true, fields };
    sockets[index]?.write(encodeFrame(frame));
  }

  it(
    'subscribes again where its connection broke while it started',
    async () => {
      isHeld = () => true;
      const starting = consumer.start();
      await until(() => changesOf(0).length === 1 && changesOf(1).length === 1);
      const beats = countOf(0, CODES.heartBeat);
      sockets[0]?.destroy();
      await until(() => countOf(0, CODES.heartBeat) > beats);
      isHeld = () => false;
      release();
      await starting;
      await until(() => changesOf(0).length === 2);
      expect(changesOf(0)).toEqual(['PARTIAL_ADD a', 'COMPLETE_ADD a']);
    },
    BEFORE_A_REPETITION_MS,
  );

  it('reports a lite topic that is taken over while it subscribes to it, and ends what it has of it', async () => {
    await consumer.start();
    isHeld = (body) => body.includes('PARTIAL_ADD');
    const subscribing = consumer.subscribeLite('b');
    await until(() => changesOf(0).includes('PARTIAL_ADD b') && changesOf(1).includes('PARTIAL_ADD b'));
    const polls = countOf(0, CODES.popLiteMessage);
    takeOver(0, 'b');
    // The second poll follows an answer that the broker wrote after the notice.
    await until(() => countOf(0, CODES.popLiteMessage) >= polls + 2);
    release();
    await subscribing;
    await until(() => lost.length === 1);
    expect(lost).toEqual(['b']);
    expect(consumer.liteTopics).toEqual(['a']);
    await until(() => [0, 1].every((index) => changesOf(index).at(-1) === 'COMPLETE_ADD a'));
  });

  it('keeps a lite topic whose earlier subscription its broker ended before it answered', async () => {
    await consumer.start();
    isHeld = (body) => body.includes('PARTIAL_ADD');
    const subscribing = consumer.subscribeLite('b');
    await until(() => changesOf(1).includes('PARTIAL_ADD b'));
    takeOver(1, 'b');
    // Written together with the notice.
    release();
    await subscribing;
    expect([lost, consumer.liteTopics]).toEqual([[], ['a', 'b']]);
  });

  it(
    'does not share a lite topic that it loses while it repeats its set',
    async () => {
      await consumer.start();
      isHeld = (body) => body.includes('COMPLETE_ADD');
      sockets[0]?.destroy();
      await until(() => changesOf(1).includes('COMPLETE_ADD a'));
      takeOver(1, 'a');
      await until(() => lost.length === 1);
      isHeld = () => false;
      release();
      await until(() => changesOf(1).at(-1) === 'COMPLETE_ADD ');
      expect(lost).toEqual(['a']);
    },
    BEFORE_A_REPETITION_MS,
  );
});
