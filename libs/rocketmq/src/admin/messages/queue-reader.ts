// Reads stored messages of a queue without consuming them, and finds them by the time when they were stored.

import { DEAD_LETTER_PREFIX } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { isOf4 } from '../../protocol/remoting/releases.js';
import type { StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import { offsetField } from '../../remoting/answers.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { RemotingError } from '../../remoting/remoting-error.js';
import type { Deadline } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import type { BrokerFailure } from '../each-broker.js';
import type { OwnedQueue } from '../topics/topic-offsets.js';
import { READ_WRITE, topicConfigIn, updateTopicRequest } from '../topics/topics.js';
import { messagesIn } from './message-lookup.js';

/** The server's own group for tools; every broker has it. */
const TOOLS_GROUP = 'TOOLS_CONSUMER';
/** The request contains its subscription, and neither waits nor commits an offset. @see PullSysFlag of the server */
const SUBSCRIPTION_FLAG = '4';

/** The first release whose brokers find the first message from a time on, 5.1.1; older ones find the one whose time is nearest. */
const FIRST_TO_FIND_BY_TIME = 435;

/** To make a topic readable. */
const MAX_TRIES = 3;

/** What one request returned. */
interface ReadMessages {
  readonly messages: readonly StoredMessageFields[];
  /** Where to continue: above the offset that was asked for, or equal to it when the server returns nothing more. */
  readonly nextOffset: number;
  /** Whether `nextOffset` is the first one that is left, since those from the offset that was asked for have been deleted. */
  readonly isMoved: boolean;
}

/**
 * Some messages of a queue from an offset on: at most 32, fewer when they are large. With `tags` (`a || b`) the server passes over others, several
 * hundred at a time.
 * @see PullMessageRequestHeader of the server, request code 11
 */
export async function readFrom(
  cluster: ClusterAccess,
  topic: string,
  { owner, offsets: { queueId } }: OwnedQueue,
  {
    offset,
    count,
    tags = '*',
  }: { readonly offset: number; readonly count: number; readonly tags?: string | undefined },
  deadline: Deadline,
): Promise<ReadMessages> {
  const fields = {
    consumerGroup: TOOLS_GROUP,
    topic,
    queueId: String(queueId),
    queueOffset: String(offset),
    maxMsgNums: String(count),
    sysFlag: SUBSCRIPTION_FLAG,
    commitOffset: '0',
    suspendTimeoutMillis: '0',
    subscription: tags,
    subVersion: '0',
    expressionType: 'TAG',
  };
  const ask = () => cluster.ask(owner, { code: REQUEST_CODES.pullMessage, fields }, deadline);
  let answer = await ask();
  const isDenied = () => answer.code === RESPONSE_CODES.noPermission && isOf4(answer.version);
  // Seen once on 4.4.0: it was denied again, while the broker stored more dead letters.
  for (let tries = 0; topic.startsWith(DEAD_LETTER_PREFIX) && isDenied() && tries < MAX_TRIES; tries++) {
    await makeReadable(cluster, owner, topic, deadline);
    answer = await ask();
  }
  const { success, pullNotFound, pullRetryImmediately, pullOffsetMoved } = RESPONSE_CODES;
  const known: readonly number[] = [success, pullNotFound, pullRetryImmediately, pullOffsetMoved];
  if (!known.includes(answer.code)) throw new RemotingError(deadline.what, owner.address, answer);
  const nextOffset = offsetField(answer, 'nextBeginOffset', offset);
  // A server that returns the same offset, or one before it, must not be asked for ever.
  return {
    messages: answer.code === success ? messagesIn(answer) : [],
    nextOffset: Math.max(offset, nextOffset),
    isMoved: answer.code === pullOffsetMoved,
  };
}

/** Brokers up to 4.9.1 make topics of dead letters that nobody may read. */
async function makeReadable(
  cluster: ClusterAccess,
  broker: MasterBroker,
  topic: string,
  deadline: Deadline,
): Promise<void> {
  const found = topicConfigIn(await cluster.call(broker, { code: REQUEST_CODES.getAllTopicConfig }, deadline), topic);
  await cluster.call(broker, updateTopicRequest({ topic }, { ...found, perm: READ_WRITE }), deadline);
}

/**
 * The offset of the first message of the queue that was stored at this time or later; its end when there is none.
 * @see SearchOffsetRequestHeader of the server, request code 29
 */
export async function offsetAtTime(
  cluster: ClusterAccess,
  topic: string,
  queue: OwnedQueue,
  timestampMs: number,
  deadline: Deadline,
): Promise<number> {
  const { owner, offsets } = queue;
  // For a time after the last message, brokers of 5.0 answer that message.
  if ((offsets.lastTimestampMs ?? 0) < timestampMs) return offsets.maxOffset;
  const fields = { topic, queueId: String(offsets.queueId), timestamp: String(timestampMs) };
  const answer = await cluster.call(owner, { code: REQUEST_CODES.searchOffsetByTimestamp, fields }, deadline);
  const finds = answer.version === 0 || answer.version >= FIRST_TO_FIND_BY_TIME;
  if (finds) return offsetField(answer, 'offset', offsets.minOffset);
  let [low, high] = [offsets.minOffset, offsets.maxOffset];
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    const { messages } = await readFrom(cluster, topic, queue, { offset: middle, count: 1 }, deadline);
    const [message] = messages;
    if (message !== undefined && message.storeTimestampMs < timestampMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The failure of a broker that does not return messages that it has. */
export function notReturned({ owner, offsets: { queueId, maxOffset } }: OwnedQueue, offset: number): BrokerFailure {
  const text = `broker ${owner.name} returns nothing from offset ${offset} of queue ${queueId}, which ends at ${maxOffset}; try again`;
  return { ...owner, error: new TransportError('UNAVAILABLE', text, 'not-sent', true) };
}
