// Looks up messages in the index of the brokers: by message id or key.

import { isIdOfCopy } from '../../protocol/model/message-id.js';
import { topicNameProblem } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import {
  decodeStoredMessages,
  MalformedMessage,
  offsetInMessageId,
  offsetMessageIdOf,
  type StoredMessageFields,
} from '../../protocol/remoting/stored-message.js';
import { undefinedWhen } from '../../remoting/answers.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { indexQuery } from '../../remoting/message-query.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import { assertFields, checkedElsewhere, type ObjectChecks } from '../../support/options.js';
import { checkLimit, checkName, checkSought, checkTime } from '../checks.js';
import { type BrokerFailure, fromEach } from '../each-broker.js';
import { assertKnown, queuesOf } from '../topics/topic-offsets.js';
import { keysOf, messageView, PROPERTIES, type StoredMessageView } from './message-view.js';

export type MessageQuery =
  /** `messageId` of a message or of one of its copies (RocketMQ: `offsetMsgId`). */
  | { readonly topic: string; readonly messageId: string }
  | {
      readonly topic: string;
      readonly key: string;
      /** Stored at this time or later. Default: any time. */
      readonly from?: Date;
      /** Stored at this time or earlier. Default: any time. */
      readonly to?: Date;
      /** Maximum messages from each broker, 1 to 64. Default: 32. */
      readonly limit?: number;
    };

/** With the times of storage between which messages with an id are sought as well. */
type StoredQuery = MessageQuery & { readonly from?: Date | undefined; readonly to?: Date | undefined };

const ID_FIELDS: ObjectChecks['options'] = { topic: checkedElsewhere, messageId: checkedElsewhere };
const KEY_FIELDS: ObjectChecks['options'] = {
  topic: checkedElsewhere,
  key: checkedElsewhere,
  from: checkedElsewhere,
  to: checkedElsewhere,
  limit: checkedElsewhere,
};

export interface FoundMessages {
  /** In the order in which they were stored. */
  readonly messages: readonly StoredMessageView[];
  /** A broker returned as many messages as requested, so there may be more. */
  readonly mayBeMore: boolean;
  /** Brokers that did not answer; the result lacks their messages. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

/** The most messages that the server returns for an id, whatever was requested (`defaultQueryMaxNum`). */
export const MAX_BY_ID = 32;
export const MAX_BY_KEY = 64;
const DEFAULT_LIMIT = 32;

export async function findMessages(
  cluster: ClusterAccess,
  query: MessageQuery,
  options?: CallOptions,
): Promise<FoundMessages> {
  const { topic } = Object(query) as MessageQuery;
  assertFields(query, 'messageId' in Object(query) ? ID_FIELDS : KEY_FIELDS);
  checkName('topic', topic, topicNameProblem(topic));
  const sought = 'messageId' in query ? query.messageId : query.key;
  checkSought('messageId' in query ? 'messageId' : 'key', sought);
  const limit = 'messageId' in query ? MAX_BY_ID : (query.limit ?? DEFAULT_LIMIT);
  checkLimit(limit, MAX_BY_KEY);
  if ('key' in query) {
    checkTime('from', query.from);
    checkTime('to', query.to);
  }
  return cluster.run(`look up ${sought} in ${query.topic}`, options, async (deadline) => {
    const { answers, failures } = await fromEach(cluster, deadline, (broker, own) =>
      lookUpOn(cluster, broker, query, limit, own),
    );
    const messages = answers.flatMap(({ value }) => value.views);
    if (messages.length === 0) assertKnown(query.topic, await queuesOf(cluster, query.topic, deadline));
    messages.sort((left, right) => left.storeTimestampMs - right.storeTimestampMs);
    return { messages, mayBeMore: answers.some(({ value }) => value.isFull), failures };
  });
}

/** The matches on one broker, at most `limit`. */
export async function lookUpOn(
  cluster: ClusterAccess,
  broker: MasterBroker,
  query: MessageQuery,
  limit: number,
  deadline: Deadline,
): Promise<{ readonly views: readonly StoredMessageView[]; readonly isFull: boolean }> {
  const { found, isFull } = await storedMessages(cluster, broker, query, limit, deadline);
  return { views: await Promise.all(found.map((stored) => messageView(stored, broker.name))), isFull };
}

/** How many messages are looked up at once where a result takes many. */
export const CONCURRENT_LOOKUPS = 8;

/** The messages of a topic with this id on one broker, at most 32. */
export async function storedWithId(
  cluster: ClusterAccess,
  broker: MasterBroker,
  query: { readonly topic: string; readonly messageId: string },
  deadline: Deadline,
): Promise<StoredMessageFields[]> {
  return (await storedMessages(cluster, broker, query, MAX_BY_ID, deadline)).found;
}

/** How often a lookup continues with what was stored before. */
const MAX_LOOKUPS = 16;

/**
 * Whether one of the messages of a topic with this id on one broker is meant, among those that were stored at this time or later. Undefined when there
 * are more of them than are read.
 */
export async function hasStored(
  cluster: ClusterAccess,
  broker: MasterBroker,
  { topic, messageId, from }: { readonly topic: string; readonly messageId: string; readonly from: Date },
  isMeant: (stored: StoredMessageFields) => boolean,
  deadline: Deadline,
): Promise<boolean | undefined> {
  let to: Date | undefined;
  for (let lookups = 0; lookups < MAX_LOOKUPS; lookups++) {
    const query = { topic, messageId, from, to };
    const { found, isFull, oldestMs } = await storedMessages(cluster, broker, query, MAX_BY_ID, deadline);
    if (found.some(isMeant)) return true;
    if (!isFull) return false;
    // The newest come first, and an index knows the second: one second may have more of them.
    if (to !== undefined && oldestMs >= to.getTime()) return undefined;
    to = new Date(oldestMs);
  }
  return undefined;
}

async function storedMessages(
  cluster: ClusterAccess,
  broker: MasterBroker,
  query: StoredQuery,
  limit: number,
  deadline: Deadline,
): Promise<{ readonly found: StoredMessageFields[]; readonly isFull: boolean; readonly oldestMs: number }> {
  const isId = 'messageId' in query;
  const { topic, from, to } = query;
  const request = indexQuery({ topic, sought: isId ? query.messageId : query.key, isId, limit, from, to });
  const asked = cluster.call(broker, request, deadline);
  const answer = await undefinedWhen(RESPONSE_CODES.queryNotFound, asked);
  const matches = answer === undefined ? [] : messagesIn(answer);
  // The index uses hash codes, so a result may belong to another topic or key. A message that has a key twice is in it twice.
  const sought = matches.filter((one) => isSought(one, query));
  const found = new Map(sought.map((one) => [identityOf(one), one]));
  const isFull = matches.length >= limit;
  const oldestMs = matches.reduce(
    (oldest, { storeTimestampMs }) => Math.min(oldest, storeTimestampMs),
    Number.POSITIVE_INFINITY,
  );
  if (isId && found.size === 0)
    return { found: await copiesWithId(cluster, broker, query, deadline), isFull, oldestMs };
  return { found: [...found.values()], isFull, oldestMs };
}

/** The message whose place the id is. @see ViewMessageRequestHeader of the server, request code 33 */
async function copiesWithId(
  cluster: ClusterAccess,
  broker: MasterBroker,
  { topic, messageId }: { readonly topic: string; readonly messageId: string },
  deadline: Deadline,
): Promise<StoredMessageFields[]> {
  const offset = isIdOfCopy(messageId) ? offsetInMessageId(messageId) : undefined;
  if (offset === undefined) return [];
  const request = { code: REQUEST_CODES.viewMessageById, fields: { offset: String(offset) } };
  const answer = await cluster.ask(broker, request, deadline);
  // Another broker has nothing there, and the embedded one no such places.
  if (answer.code !== RESPONSE_CODES.success) return [];
  return messagesIn(answer).filter((one) => one.topic === topic && offsetMessageIdOf(one) === messageId.toUpperCase());
}

/** By its properties as well: an embedded broker has no commit log, and gives what it no longer stores no place. */
function identityOf({ queueId, queueOffset, commitLogOffset, properties }: StoredMessageFields): string {
  return JSON.stringify([queueId, queueOffset, commitLogOffset, ...properties]);
}

/** @throws TransportError when the body has another format */
export function messagesIn(answer: RemotingFrame): StoredMessageFields[] {
  try {
    return decodeStoredMessages(answer.body);
  } catch (cause) {
    if (!(cause instanceof MalformedMessage)) throw cause;
    throw new TransportError('RPC_FAILED', `the answer of the server is ${cause.message}`, 'unknown', false, { cause });
  }
}

function isSought(stored: StoredMessageFields, query: MessageQuery): boolean {
  if (stored.topic !== query.topic) return false;
  if ('messageId' in query) return stored.properties.get(PROPERTIES.messageId) === query.messageId;
  return keysOf(stored).includes(query.key);
}
