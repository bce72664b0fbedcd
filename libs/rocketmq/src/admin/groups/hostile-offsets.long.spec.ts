// Brokers that claim more messages than there can be: what reads their topics ends within its time.

import { afterEach, expect, it } from '@jest/globals';
import { type BrokerScript, ScriptedCluster } from '../../../../../test/fixtures/scripted-cluster.js';
import { RocketMQError } from '../../support/errors.js';
import { RocketMQAdmin } from '../rocketmq-admin.js';

const TOPIC = 'orders';
const MAX_INT64 = '9223372036854775807';
const MIN_INT64 = '-9223372036854775808';
/** The release whose answers are not precise, so that a time is searched message by message. */
const OLD_RELEASE = 400;
const TIMEOUT_MS = 1_000;

const cluster = new ScriptedCluster();
let admin: RocketMQAdmin | undefined;

afterEach(async () => {
  await admin?.close();
  await cluster.close();
});

function claiming(minOffset: string, maxOffset: string, next: string): BrokerScript {
  const key = `{"brokerName":"broker-0","queueId":0,"topic":"${TOPIC}"}`;
  const row = `{"minOffset":${minOffset},"maxOffset":${maxOffset},"lastUpdateTimestamp":5}`;
  return ({ code }) => {
    if (code === 202) return { body: `{"offsetTable":{${key}:${row}}}` };
    const fields = { offset: next, nextBeginOffset: next };
    return code === 29 ? { version: OLD_RELEASE, fields } : { code: 19, fields };
  };
}

/** @returns undefined when it failed as calls fail */
const settled = (call: Promise<unknown>): Promise<unknown> =>
  call.catch((error: unknown) => {
    if (!RocketMQError.is(error)) throw error;
  });

it.each([
  ['an end beyond all numbers', '0', MAX_INT64, MAX_INT64],
  ['such an end, and moves readers back', '0', MAX_INT64, '-1'],
  ['a beginning beyond all numbers', MAX_INT64, MAX_INT64, MAX_INT64],
  ['messages from below all numbers on', MIN_INT64, MAX_INT64, MAX_INT64],
  ['-1 for everything', '-1', '-1', '-1'],
])('a topic whose broker claims %s is read to some end', async (_, minOffset, maxOffset, next) => {
  const { nameServer } = await cluster.start([claiming(minOffset, maxOffset, next)]);
  admin = new RocketMQAdmin({ nameServer: nameServer.address, timeoutMs: TIMEOUT_MS });
  const { total, queues } = await admin.topicOffsets(TOPIC);
  expect(Number.isFinite(total)).toBe(true);
  expect(queues.every((queue) => Number.isSafeInteger(queue.minOffset) && Number.isSafeInteger(queue.maxOffset))).toBe(
    true,
  );
  for (const order of ['oldest-first', 'newest-first'] as const)
    for (const from of [undefined, new Date(3)]) await settled(admin.browseMessages(TOPIC, { order, from }));
  for await (const { messages, skipped } of admin.tailMessages(TOPIC, { from: new Date(0), maxMessages: 10 })) {
    expect([messages, Number.isFinite(skipped)]).toEqual([[], true]);
    break;
  }
});
