// What is said of brokers of 4.x. Those up to 4.7 never answer a request that they do not know.

import { afterEach, describe, expect, it } from '@jest/globals';
import { call } from '../../../../test/fixtures/command-line.js';
import { popped } from '../../../../test/fixtures/gateway-world.js';
import { type BrokerScript, ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import { RocketMQAdmin } from '../entries/admin.js';
import { Connection, PushConsumer } from '../entries/client.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import type { Check } from './doctor/check.js';

/** The number of 4.7.1 and of 4.9.7, and how each treats a request that it does not know. */
const OLD = [
  { release: '4.7.1', version: 355, unknown: undefined },
  { release: '4.9.7', version: 407, unknown: { code: 3, remark: 'request type 351 not supported' } },
];
const TOPICS = { orders: { topicName: 'orders', readQueueNums: 4, writeQueueNums: 4, perm: 6 } };
const GROUPS = { shop: { groupName: 'shop', retryMaxTimes: 16, consumeMessageOrderly: false } };
const DEAD_LETTERS =
  '{"offsetTable":{{"brokerName":"broker-0","queueId":0,"topic":"%DLQ%shop"}:{"minOffset":9,"maxOffset":10,"lastUpdateTimestamp":1}}}';
const cluster = new ScriptedCluster();
const closers: (() => Promise<unknown> | unknown)[] = [];
/** The topics that were created or altered. */
let created: string[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await cluster.close();
});

async function started({ release, version, unknown }: (typeof OLD)[number]): Promise<string> {
  created = [];
  const table = { brokerVersionDesc: `V${release.replaceAll('.', '_')}`, brokerVersion: String(version) };
  const bodies: Readonly<Record<number, object>> = {
    [CODES.getBrokerRuntimeInfo]: { table },
    [CODES.heartBeat]: {},
    [CODES.getAllTopicConfig]: { topicConfigTable: TOPICS },
    [CODES.getAllSubscriptionGroupConfig]: { subscriptionGroupTable: GROUPS },
    [CODES.getConsumerConnectionList]: {},
    [CODES.getConsumeStats]: { offsetTable: {} },
  };
  // Nobody may read the topics of dead letters that a broker up to 4.9.1 has made.
  let permission = '2';
  const script: BrokerScript = ({ code, fields }) => {
    if (code === CODES.updateAndCreateTopic) created.push(fields.topic ?? '');
    if (code === CODES.updateAndCreateTopic) permission = fields.perm ?? '';
    if (code === CODES.updateAndCreateTopic) return { version };
    if (code === CODES.getTopicStatsInfo) return { version, body: DEAD_LETTERS };
    if (code === CODES.pullMessage) {
      const answer = permission === '2' ? { code: RESPONSE_CODES.noPermission } : { body: popped().body };
      return { version, fields: { nextBeginOffset: '10' }, ...answer };
    }
    const body = bodies[code];
    return body === undefined ? unknown && { version, ...unknown } : { version, body: JSON.stringify(body) };
  };
  return (await cluster.start([script])).nameServer.address;
}

describe.each(OLD)('a broker of $release', (old) => {
  it('is rejected by consumers of lite topics at once, by its name', async () => {
    const endpoints = `name-server:${await started(old)}`;
    const connection = new Connection({ endpoints, requestTimeoutMs: 20_000 });
    closers.push(() => connection.close());
    const lite = { subscriptions: [{ topic: 'orders' }], liteTopics: [], deadLetterTo: async () => {} };
    const consumer = new PushConsumer(connection, { consumerGroup: 'shop', ...lite, handler: () => {} });
    closers.push(() => consumer.close());
    const failure: unknown = await consumer.start().catch((error) => error);
    expect(failure).toMatchObject({ code: 'VERSION_UNSUPPORTED', retryable: false, outcome: 'rejected' });
    expect((failure as Error).message).toContain(`runs RocketMQ ${old.release}`);
  });

  it('is named by administration, where a request came with 5.0', async () => {
    const admin = new RocketMQAdmin({ nameServer: await started(old), timeoutMs: 20_000 });
    closers.push(() => admin.close());
    const recalling = admin.recallDelayed({ broker: 'broker-0', originTopic: 'orders', recallHandle: 'x' });
    const failure: unknown = await recalling.catch((error) => error);
    expect(failure).toMatchObject({ code: 'VERSION_UNSUPPORTED', retryable: false, outcome: 'not-sent' });
    expect((failure as Error).message).toContain(`runs RocketMQ ${old.release}`);
  });

  it('is described as it is: without types of topics, and without order and backoff of groups', async () => {
    const admin = new RocketMQAdmin({ nameServer: await started(old), timeoutMs: 20_000 });
    closers.push(() => admin.close());
    expect(await admin.describeTopic('orders')).toMatchObject({ type: 'any', queues: 4 });
    expect((await admin.describeGroup('shop'))?.brokers).toMatchObject([
      { keepsRules: false, maxDeliveryAttempts: 17 },
    ]);
  });

  it('gets no topic of a type whose messages it does not treat as such', async () => {
    const admin = new RocketMQAdmin({ nameServer: await started(old), timeoutMs: 20_000 });
    closers.push(() => admin.close());
    for (const type of ['priority', 'lite'] as const) {
      const creating = admin.createTopic({ topic: 'urgent', type });
      await expect(creating).rejects.toMatchObject({ code: 'VERSION_UNSUPPORTED' });
      await expect(creating).rejects.toThrow(`create topic urgent of type ${type}: `);
    }
    expect(created).toEqual([]);
  });

  it('has its dead letters made readable when they are read', async () => {
    const admin = new RocketMQAdmin({ nameServer: await started(old), timeoutMs: 20_000 });
    closers.push(() => admin.close());
    expect(await admin.listDeadLetters('shop')).toMatchObject({ total: 1, deadLetters: [{ messageId: 'THE-ID' }] });
  });

  it('has its version examined by the doctor, with what consumers do there', async () => {
    const nameServer = await started(old);
    const line = `doctor name-server:${nameServer} --json --topic orders`;
    const { out } = await call(line.split(' '));
    const { checks } = JSON.parse(out) as { checks: Check[] };
    const of = (name: string) => checks.filter((check) => check.name === name);
    expect(of('version')).toMatchObject([{ status: 'ok', seen: expect.stringContaining(`${old.release} at`) }]);
    expect(of('version')[0]?.seen).toContain('consumers pull');
    expect(of('topic')).toMatchObject([{ status: 'ok', seen: expect.stringContaining('it takes all messages') }]);
  });
});
