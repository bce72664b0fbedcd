// Entries of delayed messages that a real server keeps and a test cannot bring about. The rest is in test/contract.

import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerScript, ScriptedCluster } from '../../../../../test/fixtures/scripted-cluster.js';
import { encodeStoredMessage, type StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import { RocketMQAdmin } from '../rocketmq-admin.js';

const TOPIC = 'rmq_sys_wheel_timer';
const cluster = new ScriptedCluster();
let admin: RocketMQAdmin | undefined;
afterEach(async () => {
  await admin?.close();
  await cluster.close();
});

/** An entry that is due in an hour, or some seconds later. */
function entry(offset: number, seconds: number, properties: Record<string, string> = {}): StoredMessageFields {
  const dueAtMs = Math.floor(Date.now() / 60_000) * 60_000 + 3_600_000 + seconds * 1_000;
  const place = { topic: TOPIC, queueId: 0, queueOffset: offset, commitLogOffset: 0 };
  const times = { bornTimestampMs: 1, bornHost: '127.0.0.1:1', storeTimestampMs: offset, storeHost: '127.0.0.1:2' };
  const marks = { sysFlag: 0, flag: 0, bodyCrc: 0, reconsumeTimes: 0, preparedTransactionOffset: 0 };
  const own = { UNIQ_KEY: 'm', REAL_TOPIC: 't', TIMER_OUT_MS: String(dueAtMs), ...properties };
  return { ...place, ...times, ...marks, body: Buffer.from(`${offset}`), properties: new Map(Object.entries(own)) };
}

function brokerWith(queue: readonly StoredMessageFields[]): BrokerScript {
  return ({ code, fields }) => {
    const key = `{"brokerName":"broker-0","queueId":0,"topic":"${TOPIC}"}`;
    if (code === 202) return { body: `{"offsetTable":{${key}:{"minOffset":0,"maxOffset":${queue.length}}}}` };
    if (code === 12) return { body: Buffer.concat(queue.map(encodeStoredMessage)) };
    const begin = Number(fields.queueOffset);
    const found = queue.slice(begin, begin + Number(fields.maxMsgNums));
    return {
      fields: { nextBeginOffset: String(begin + found.length) },
      body: Buffer.concat(found.map(encodeStoredMessage)),
    };
  };
}

async function listed(...queue: StoredMessageFields[]): Promise<string[]> {
  const { nameServer } = await cluster.start([brokerWith(queue)]);
  admin = new RocketMQAdmin({ nameServer: nameServer.address });
  return (await admin.delayedMessages()).messages.map(({ body }) => `${body}`);
}

describe('delayed messages of one id', () => {
  it('are listed once each, in the last round of the wheel', async () => {
    expect(await listed(entry(0, 0), entry(1, 0, { TIMER_ROLL_TIMES: '1' }), entry(2, 9))).toEqual(['2', '1']);
  });

  it('are not hidden by the cancellation of another one', async () => {
    expect(await listed(entry(0, 0), entry(1, 9), entry(2, 9, { TIMER_DEL_UNIQKEY: 'm' }))).toEqual(['0']);
  });
});
