// Requests to a broker as any client of the remoting protocol can make them: labels and settings that our own clients reject.

import { randomBytes } from 'node:crypto';
import { REQUEST_CODES, RESPONSE_CODES } from '../../../libs/rocketmq/src/protocol/remoting/codes.js';
import type { RemotingFrame } from '../../../libs/rocketmq/src/protocol/remoting/frame.js';
import { jsonOf } from '../../../libs/rocketmq/src/remoting/answers.js';
import { RemotingClient } from '../../../libs/rocketmq/src/remoting/remoting-client.js';
import type { RemotingRequest } from '../../../libs/rocketmq/src/remoting/remoting-request.js';
import { withDeadline } from '../../../libs/rocketmq/src/support/deadline.js';
import { REQUEST_MS } from './backend.js';
import type { World } from './world.js';

interface RawStored {
  readonly topic: string;
  readonly body: string;
  /** As the broker stores them: `name 0x01 value 0x02 ...`. Those of the server are among them. */
  readonly properties: string;
}

export type Ask = (request: RemotingRequest) => Promise<RemotingFrame>;

/**
 * Asks a broker of the topic, all over one connection.
 * @param run `ask` returns the answer, whatever its code; `address` is that of the broker
 */
export async function atBroker<T>(
  { backend }: World,
  topic: string,
  run: (ask: Ask, address: string) => Promise<T>,
): Promise<T> {
  const { nameServer, access } = backend;
  if (access?.credentials !== undefined || access?.tls !== undefined) throw new Error('only for an open server');
  const client = new RemotingClient({ connectTimeoutMs: REQUEST_MS });
  const ask = (address: string, request: RemotingRequest) =>
    withDeadline('raw request', REQUEST_MS, undefined, (deadline) => client.ask(address, request, deadline));
  try {
    const fields = { topic, acceptStandardJsonOnly: 'true' };
    const { brokerDatas } = jsonOf(await ask(nameServer, { code: REQUEST_CODES.getRouteInfoByTopic, fields })) as {
      brokerDatas: { brokerAddrs: Record<string, string> }[];
    };
    const address = brokerDatas[0]?.brokerAddrs[0] ?? '';
    return await run((request) => ask(address, request), address);
  } finally {
    await client.close();
  }
}

/** Asks a broker of the topic once. @throws when it rejects */
export async function rawRequest(world: World, topic: string, request: RemotingRequest): Promise<void> {
  const { code, remark } = await atBroker(world, topic, (ask) => ask(request));
  if (code !== RESPONSE_CODES.success) throw new Error(`code ${code}: ${remark}`);
}

/** @returns the message id */
export async function rawStore(world: World, { topic, body, properties }: RawStored): Promise<string> {
  const messageId = randomBytes(17).toString('hex').toUpperCase();
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
  await rawRequest(world, topic, { code: REQUEST_CODES.sendMessage, fields, body: Buffer.from(body) });
  return messageId;
}

/**
 * What a consumer receives of messages with these properties, in their order.
 * @param delayMs how long they wait at most
 */
export async function receivedInOrder(world: World, topic: string, all: readonly string[], delayMs = 0) {
  for (const [index, properties] of all.entries()) {
    await rawStore(world, { topic, properties, body: String(index) });
  }
  const { deliveries } = await world.record({ topic });
  if (delayMs > 0) await world.backend.advance(delayMs);
  await world.until('all are received', () => deliveries.length === all.length);
  return all.map((_, index) => deliveries.find(({ text }) => text === String(index))?.message);
}
