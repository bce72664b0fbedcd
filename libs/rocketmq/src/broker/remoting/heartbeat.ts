// What a client says of itself in a heartbeat (34). @see HeartbeatData of the server

import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { rejected } from '../admin/admin-answer.js';

/** What a group reads of a topic. */
export interface ReadSubscription {
  readonly topic: string;
  /** `TAG` or `SQL92`. */
  readonly expressionType: string;
  readonly subString: string;
  /** The newest one of a group counts. A text, because some clients send more than a number can hold. */
  readonly subVersion: bigint;
}

export interface ConsumerData {
  readonly group: string;
  readonly consumeType: string;
  readonly messageModel: string;
  readonly consumeFromWhere: string;
  readonly subscriptions: readonly ReadSubscription[];
}

export interface Heartbeat {
  readonly clientId: string;
  readonly producerGroups: readonly string[];
  readonly consumers: readonly ConsumerData[];
}

/** What clients say is kept as long as they are connected. */
const MAX_BYTES = 256 * 1024;
/** JSON.parse would round a number of nanoseconds, and two of them could become equal. */
const SUB_VERSION = /"subVersion"\s*:\s*(-?\d{1,19})(?=\s*[,}])/g;

/** @throws AdminRejection */
export function heartbeatIn({ body }: RemotingFrame): Heartbeat {
  if (body.length > MAX_BYTES) throw rejected(`the heartbeat has ${body.length} bytes, the limit is ${MAX_BYTES}`);
  const data = parsed(body.toString('utf8').replace(SUB_VERSION, '"subVersion":"$1"'));
  const clientId = textOf(data.clientID);
  if (clientId === '') throw rejected('the heartbeat has no clientID');
  return {
    clientId,
    producerGroups: listOf(data.producerDataSet).map(({ groupName }) => textOf(groupName)),
    consumers: listOf(data.consumerDataSet).map((consumer) => ({
      group: textOf(consumer.groupName),
      consumeType: textOf(consumer.consumeType),
      messageModel: textOf(consumer.messageModel),
      consumeFromWhere: textOf(consumer.consumeFromWhere),
      subscriptions: listOf(consumer.subscriptionDataSet).map((one) => ({
        topic: textOf(one.topic),
        expressionType: textOf(one.expressionType) || 'TAG',
        subString: textOf(one.subString) || '*',
        subVersion: BigInt(textOf(one.subVersion) || 0),
      })),
    })),
  };
}

type JsonObject = Readonly<Record<string, unknown>>;

function parsed(text: string): JsonObject {
  try {
    const data: unknown = JSON.parse(text);
    if (typeof data === 'object' && data !== null) return data as JsonObject;
  } catch {
    // Reported below.
  }
  throw rejected('the heartbeat is not a JSON object');
}

function listOf(value: unknown): JsonObject[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is JsonObject => typeof item === 'object' && item !== null);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
