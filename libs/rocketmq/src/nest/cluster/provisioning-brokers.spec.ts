// Declared topics and groups on a cluster of several brokers, some of which lack them or differ.

import { afterEach, describe, expect, it } from '@jest/globals';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { type BrokerScript, ScriptedCluster } from '../../../../../test/fixtures/scripted-cluster.js';
import { RocketMQAdmin } from '../../entries/admin.js';
import type { DeclaredGroup, DeclaredTopic } from './declarations.js';
import { checkDeclared, createDeclared } from './provisioning.js';

describe('provisioning on several brokers', () => {
  const cluster = new ScriptedCluster();
  afterEach(() => cluster.close());

  /** A broker with one topic and one group, which records the requests that change it. */
  function holding(held: { topic?: object; group?: object }): {
    script: BrokerScript;
    held: typeof held;
    changes: number[];
  } {
    const changes: number[] = [];
    const script: BrokerScript = ({ code, fields, body }) => {
      if (code === 17 || code === 200) changes.push(code);
      if (code === 17) held.topic = { ...fields, writeQueueNums: Number(fields.writeQueueNums) };
      if (code === 200) held.group = JSON.parse(body) as object;
      if (code === 351) return held.topic === undefined ? { code: 17 } : { body: JSON.stringify(held.topic) };
      if (code !== 201) return { body: '{"table":{"brokerVersionDesc":"V5_5_0"}}' };
      return { body: JSON.stringify({ subscriptionGroupTable: held.group && { billing: held.group } }) };
    };
    return { script, held, changes };
  }

  async function on(
    brokers: readonly BrokerScript[],
    run: typeof createDeclared,
    group: Partial<DeclaredGroup>,
    topic: Partial<DeclaredTopic> = {},
  ) {
    const { nameServer } = await cluster.start(brokers);
    const scripted = new RocketMQAdmin({ nameServer: nameServer.address });
    const logger = recordingLogger();
    const wanted = {
      name: 'billing',
      fifo: false,
      maxDeliveryAttempts: undefined,
      backoff: undefined,
      lite: undefined,
      ...group,
    };
    const settings = { type: 'normal', queues: undefined, layout: undefined, handlers: [] } as const;
    const orders: DeclaredTopic = { name: 'orders', ...settings, ...topic };
    const declared = { topics: [orders], groups: [wanted] };
    const port = { admin: scripted, logger, timeoutMs: 3_000 };
    await run(declared, port, new AbortController().signal).finally(() => scripted.close());
    return logger.lines;
  }

  it('creates what a broker lacks with the settings of the others, and does not change those', async () => {
    // The topic is being made smaller: messages of its read-only queues would be lost if it had as many read queues as write queues.
    const topic = { readQueueNums: 16, writeQueueNums: 8 };
    const [old, joined] = [holding({ topic, group: { groupName: 'billing', retryMaxTimes: 4 } }), holding({})];
    expect(await on([old.script, joined.script], createDeclared, {})).toEqual([]);
    expect(old.changes).toEqual([]);
    expect(joined.held).toMatchObject({ topic: { writeQueueNums: 8 }, group: { retryMaxTimes: 4 } });
  });

  it('creates a topic of any type on a broker that lacks it with the type of the others', async () => {
    const topic = { writeQueueNums: 8, attributes: { 'message.type': 'FIFO' } };
    const [old, joined] = [holding({ topic }), holding({})];
    const handled = { type: undefined, handlers: ['Orders.changed'] };
    expect(await on([old.script, joined.script], createDeclared, {}, handled)).toEqual([]);
    expect(joined.held).toMatchObject({ topic: { attributes: expect.stringContaining('FIFO') } });
  });

  it('names the differences of each broker', async () => {
    const brokers = [false, true].map((consumeMessageOrderly) =>
      holding({ topic: { writeQueueNums: 8 }, group: { groupName: 'billing', consumeMessageOrderly } }),
    );
    const checking = on(
      brokers.map(({ script }) => script),
      checkDeclared,
      {},
    );
    await expect(checking).rejects.toMatchObject({
      differences: ['consumer group "billing" is ordered on broker-1, declared as not ordered'],
    });
  });
});
