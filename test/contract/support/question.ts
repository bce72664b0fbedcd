// The setup of the error catalogue's cases: raw clients, and each kind of answer as one word.

import { randomBytes } from 'node:crypto';
import type { Settings } from '../../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcName, RpcRequest } from '../../../libs/rocketmq/src/protocol/grpc/rpc.js';
import { codeName } from '../../../libs/rocketmq/src/protocol/grpc/status.js';
import { messagesIn, statusIn } from '../../../tools/wire/broker-wire.js';
import {
  consumerSettings,
  message,
  producerSettings,
  type RawClient,
  receiveRequest,
  resource,
} from '../../../tools/wire/raw-grpc-client.js';
import type { RawMessage } from './raw-send.js';
import type { World } from './world.js';

type UnaryName = Exclude<RpcName, 'receiveMessage' | 'telemetry' | 'pullMessage'>;

/** A server's answer as one word: the name of the code, or `gRPC 13` when the call itself failed. */
export async function codeOf<N extends UnaryName>(
  client: RawClient,
  rpc: N,
  request: Partial<RpcRequest<N>>,
): Promise<string> {
  return orGrpc(async () => {
    const { status } = await client.call(rpc, request);
    return codeName(status?.code ?? 0);
  });
}

/** Like {@link codeOf}, for a receive. */
export async function codeOfReceive(
  client: RawClient,
  request: Partial<RpcRequest<'receiveMessage'>>,
  options: { deadlineMs?: number | null } = {},
): Promise<string> {
  return orGrpc(async () => codeName(statusIn(await client.receive(request, options)) ?? 0));
}

/** Like {@link codeOf}, for the settings that open a telemetry stream. */
export async function codeOfSettings(client: RawClient, settings: Settings): Promise<string> {
  return orGrpc(async () => codeName((await client.settle(settings)).reply.status?.code ?? 0));
}

async function orGrpc(ask: () => Promise<string>): Promise<string> {
  try {
    return await ask();
  } catch (error) {
    const { code } = error as { code?: number };
    if (code === undefined) throw error;
    return `gRPC ${code}`;
  }
}

/** A message for the topic, without the client's validation. */
export function messageOf(world: World, topic: string, raw: RawMessage = {}) {
  const { body, properties, ...system } = raw;
  const base = message(topic, `01${randomBytes(16).toString('hex').toUpperCase()}`, {
    bornTimestamp: new Date(world.nowMs()),
    ...system,
  });
  return { ...base, body: body ?? base.body, userProperties: properties ?? base.userProperties };
}

/** The code of the answer to a send of one message. */
export function codeOfSend(world: World, topic: string, raw: RawMessage = {}): Promise<string> {
  return codeOf(world.rawClient(), 'sendMessage', { messages: [messageOf(world, topic, raw)] });
}

/** A topic, a group, and a client that has sent its settings as a consumer of that group. */
export async function consuming(world: World, type: Parameters<World['topic']>[0] = 'normal') {
  const topic = await world.topic(type);
  const group = await world.group();
  const client = world.rawClient(world.name(), { 'x-mq-client-version': '5.0.7' });
  await client.settle(consumerSettings(group));
  return { topic, group, client, names: { topic: resource(topic), group: resource(group) } };
}

/** Like {@link consuming}, with one received message. */
export async function holding(world: World, invisibleDurationMs?: number) {
  const consumer = await consuming(world);
  const { topic, group, client } = consumer;
  const sent = messageOf(world, topic);
  await world.rawClient().call('sendMessage', { messages: [sent] });
  const request = receiveRequest(topic, group, invisibleDurationMs);
  const [received] = messagesIn(await client.receive(request));
  const { receiptHandle = '', messageId = '' } = received?.systemProperties ?? {};
  if (receiptHandle === '') throw new Error('nothing was received');
  return { ...consumer, receiptHandle, messageId, entry: { messageId, receiptHandle } };
}

/** A transactional topic with a half message in it. */
export async function halfSent(world: World, raw: RawMessage = {}) {
  const topic = await world.topic('transaction');
  const client = world.rawClient();
  await client.settle(producerSettings(topic));
  const { entries } = await client.call('sendMessage', {
    messages: [messageOf(world, topic, { ...raw, messageType: 4 })],
  });
  const { transactionId = '', messageId = '' } = entries[0] ?? {};
  return { client, end: { topic: resource(topic), transactionId, messageId } };
}

/** A delayed message that can be recalled. */
export async function delayedSent(world: World, delayMs: number) {
  const topic = await world.topic('delay');
  const client = world.rawClient();
  const deliveryTimestamp = new Date(world.nowMs() + delayMs);
  const { entries } = await client.call('sendMessage', { messages: [messageOf(world, topic, { deliveryTimestamp })] });
  return { client, topic: resource(topic), recallHandle: entries[0]?.recallHandle ?? '' };
}
