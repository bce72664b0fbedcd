// Stores a message as any client of the remoting protocol can, with labels that our own producer refuses.

import { randomBytes } from 'node:crypto';
import { REQUEST_CODES } from '../../../libs/rocketmq/src/protocol/remoting/codes.js';
import { jsonOf } from '../../../libs/rocketmq/src/remoting/answers.js';
import { RemotingClient } from '../../../libs/rocketmq/src/remoting/remoting-client.js';
import { withDeadline } from '../../../libs/rocketmq/src/support/deadline.js';
import { REQUEST_MS } from './backend.js';
import type { World } from './world.js';

export interface RawStored {
  readonly topic: string;
  readonly body?: string;
  /** As the broker stores them: `name 0x01 value 0x02 ...`. Those of the server are among them. */
  readonly properties: string;
}

/** @returns the message id */
export async function rawStore(world: World, { topic, body = 'x', properties }: RawStored): Promise<string> {
  const { nameServer, access } = world.backend;
  if (access?.credentials !== undefined || access?.tls !== undefined) throw new Error('only for an open server');
  const client = new RemotingClient({ connectTimeoutMs: REQUEST_MS });
  const messageId = randomBytes(17).toString('hex').toUpperCase();
  try {
    await withDeadline('store a message', REQUEST_MS, undefined, async (deadline) => {
      const question = { code: REQUEST_CODES.getRouteInfoByTopic, fields: { topic, acceptStandardJsonOnly: 'true' } };
      const { brokerDatas } = jsonOf(await client.call(nameServer, question, deadline)) as {
        brokerDatas: { brokerAddrs: Record<string, string> }[];
      };
      const address = brokerDatas[0]?.brokerAddrs[0] ?? '';
      const fields = {
        producerGroup: 'raw',
        topic,
        defaultTopic: 'TBW102',
        defaultTopicQueueNums: '4',
        queueId: '0',
        sysFlag: '0',
        bornTimestamp: String(world.nowMs()),
        flag: '0',
        properties: `UNIQ_KEY\u0001${messageId}\u0002${properties}`,
        reconsumeTimes: '0',
        unitMode: 'false',
        batch: 'false',
      };
      await client.call(address, { code: REQUEST_CODES.sendMessage, fields, body: Buffer.from(body) }, deadline);
    });
    return messageId;
  } finally {
    await client.close();
  }
}
