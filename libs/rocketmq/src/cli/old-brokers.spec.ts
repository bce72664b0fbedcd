// What is said of brokers of 4.x. Those up to 4.7 never answer a request that they do not know.

import { afterEach, describe, expect, it } from '@jest/globals';
import { call } from '../../../../test/fixtures/command-line.js';
import { recordingLogger } from '../../../../test/fixtures/nest-bench.js';
import { type BrokerScript, ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import { RocketMQAdmin } from '../entries/admin.js';
import { Connection, PushConsumer, SimpleConsumer } from '../entries/client.js';
import { REQUEST_CODES as CODES } from '../protocol/remoting/codes.js';
import type { Check } from './doctor/check.js';

/** The number of 4.7.1 and of 4.9.7, and how each treats a request that it does not know. */
const OLD = [
  { release: '4.7.1', version: 355, unknown: undefined },
  { release: '4.9.7', version: 407, unknown: { code: 3, remark: 'request type 351 not supported' } },
];
const cluster = new ScriptedCluster();
const closers: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await cluster.close();
});

async function started({ release, version, unknown }: (typeof OLD)[number]): Promise<string> {
  const table = { brokerVersionDesc: `V${release.replaceAll('.', '_')}`, brokerVersion: String(version) };
  const script: BrokerScript = ({ code }) => {
    if (code === CODES.getBrokerRuntimeInfo) return { version, body: JSON.stringify({ table }) };
    return code === CODES.heartBeat ? { version } : unknown && { version, ...unknown };
  };
  return (await cluster.start([script])).nameServer.address;
}

describe.each(OLD)('a broker of $release', (old) => {
  const REFUSAL = { code: 'VERSION_UNSUPPORTED', retryable: false };

  it('is refused by consumers at once, by its name', async () => {
    const logger = recordingLogger();
    const endpoints = `name-server:${await started(old)}`;
    const connection = new Connection({ endpoints, requestTimeoutMs: 20_000, logger });
    closers.push(() => connection.close());
    const subscriptions = [{ topic: 'orders' }];
    const simple = new SimpleConsumer(connection, { consumerGroup: 'shop', subscriptions });
    const push = new PushConsumer(connection, { consumerGroup: 'shop', subscriptions, handler: () => {} });
    closers.push(
      () => simple.close(),
      () => push.close(),
    );
    for (const consumer of [simple, push]) {
      const failure: unknown = await consumer.start().catch((error) => error);
      expect(failure).toMatchObject({ ...REFUSAL, outcome: 'rejected' });
      expect((failure as Error).message).toContain(`runs RocketMQ ${old.release}; consuming needs RocketMQ 5.0.0`);
    }
    expect(JSON.stringify(logger.lines)).not.toContain('ACL');
  });

  it('is named by administration, where a request came with 5.0', async () => {
    const admin = new RocketMQAdmin({ nameServer: await started(old), timeoutMs: 20_000 });
    closers.push(() => admin.close());
    const recall = { broker: 'broker-0', originTopic: 'orders', recallHandle: 'x' };
    for (const asked of [
      admin.createTopic({ topic: 'orders', type: 'normal' }),
      admin.describeTopic('orders'),
      admin.deleteTopic('orders'),
      admin.recallDelayed(recall),
    ]) {
      const failure: unknown = await asked.catch((error) => error);
      expect(failure).toMatchObject({ ...REFUSAL, outcome: 'not-sent' });
      expect((failure as Error).message).toContain(`runs RocketMQ ${old.release}`);
    }
  });

  it.each(['', ' --topic orders --group shop'])('is reported once by the doctor%s', async (options) => {
    const nameServer = await started(old);
    const line = `doctor name-server:${nameServer} --json${options}`;
    const { code, out } = await call(line.split(' '));
    const { checks } = JSON.parse(out) as { checks: Check[] };
    const failed = checks.filter(({ status }) => status === 'failed');
    expect({ code, failed }).toEqual({ code: 1, failed: [expect.objectContaining({ name: 'version' })] });
    expect(failed[0]?.seen).toContain(old.release);
  });
});
