// Which topic, group and property names the server accepts, and the string form of a Resource.

import { LIMITS } from './limits.js';

const NAME = /^[%|a-zA-Z0-9_-]+$/;
const LITE_TOPIC = /^[a-zA-Z0-9_-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters on purpose
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Where the server puts a half message after `transactionCheckMax` checks. @see TopicValidator of the server */
export const GIVEN_UP_TOPIC = 'TRANS_CHECK_MAX_TIME_TOPIC';

/** Where the server keeps half messages. @see TopicValidator of the server */
export const HALF_TOPIC = 'RMQ_SYS_TRANS_HALF_TOPIC';

/** Where the server keeps delayed messages. @see TimerMessageStore of the server */
export const DELAYED_TOPIC = 'rmq_sys_wheel_timer';

/** What the names of the topics begin with that keep a group's pending retries and its dead letters. */
export const RETRY_PREFIX = '%RETRY%';
export const DEAD_LETTER_PREFIX = '%DLQ%';

/**
 * The property of a replayed dead letter that only one group handles: its topic, its message id and the group. The first two distinguish it from what
 * an application sends on with all properties.
 */
export const REPLAY_GROUP_PROPERTY = 'DEAD_LETTER_REPLAY_GROUP';

/** What a replayed dead letter says of the only group that handles it. */
interface ReplayGroup {
  readonly topic: string;
  readonly messageId: string;
  readonly consumerGroup: string;
}

/** The value of {@link REPLAY_GROUP_PROPERTY}. */
export function replayGroupMark({ topic, messageId, consumerGroup }: ReplayGroup): string {
  return [topic, messageId, consumerGroup].join('/');
}

/** Whether a mark keeps a message from a group. Names on the cluster may begin with a namespace. */
export function isForAnotherGroup(mark: string, { topic, messageId, consumerGroup }: ReplayGroup): boolean {
  const [markedTopic = '', markedId, markedGroup = ''] = mark.split('/');
  const isName = (marked: string, name: string): boolean => marked === name || marked.endsWith(`%${name}`);
  return markedId === messageId && isName(markedTopic, topic) && !isName(markedGroup, consumerGroup);
}

/** The property in which the server names the queue of a lite topic. It is not reserved, so consumers see it. */
export const LITE_QUEUE_PROPERTY = 'INNER_MULTI_DISPATCH';
/** The property in which the server stores the offset of a message in the queue of its lite topic. */
export const LITE_QUEUE_OFFSET_PROPERTY = 'INNER_MULTI_QUEUE_OFFSET';

/** The property in which the server stores the message group. It is not reserved, and makes a message an ordered one, which other topics reject. */
export const MESSAGE_GROUP_PROPERTY = '__SHARDINGKEY';

/** @see TopicValidator of the server */
const SYSTEM_TOPICS: ReadonlySet<string> = new Set([
  'TBW102',
  'SCHEDULE_TOPIC_XXXX',
  'BenchmarkTest',
  HALF_TOPIC,
  'RMQ_SYS_TRACE_TOPIC',
  'RMQ_SYS_TRANS_OP_HALF_TOPIC',
  GIVEN_UP_TOPIC,
  'SELF_TEST_TOPIC',
  'OFFSET_MOVED_EVENT',
  'CHECKPOINT_TOPIC',
  'RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC',
  'RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC',
]);

const RESERVED_PROPERTIES: ReadonlySet<string> = new Set(
  (
    'TRACE_ON MSG_REGION KEYS TAGS WAIT DELAY RETRY_TOPIC ORIGIN_GROUP REAL_TOPIC REAL_QID TRAN_MSG PGROUP MIN_OFFSET ' +
    'MAX_OFFSET BUYER_ID ORIGIN_MESSAGE_ID TRANSFER_FLAG CORRECTION_FLAG MQ2_FLAG RECONSUME_TIME UNIQ_KEY ' +
    'MAX_RECONSUME_TIMES CONSUME_START_TIME POP_CK POP_CK_OFFSET 1ST_POP_TIME TRAN_PREPARED_QUEUE_OFFSET DUP_INFO ' +
    'EXTEND_UNIQ_INFO INSTANCE_ID CORRELATION_ID REPLY_TO_CLIENT TTL ARRIVE_TIME PUSH_REPLY_TIME CLUSTER MSG_TYPE ' +
    'INNER_MULTI_QUEUE_OFFSET TIMER_DELAY_MS TIMER_DELAY_SEC TIMER_DELIVER_MS TIMER_ENQUEUE_MS TIMER_DEQUEUE_MS ' +
    'TIMER_ROLL_TIMES TIMER_OUT_MS TIMER_DEL_UNIQKEY TIMER_DELAY_LEVEL __BORNHOST BORN_TIMESTAMP DLQ_ORIGIN_TOPIC ' +
    'DLQ_ORIGIN_MESSAGE_ID __CRC32# _SYS_MSG_PRIORITY_ __LITE_TOPIC'
  ).split(' '),
);

/** For callers that no compiler has checked. */
const NO_STRING = 'is not a string';

/** The possible problems of a name. `reserved`: the server uses it itself. */
export type NameFault = 'blank' | 'too-long' | 'characters' | 'reserved';

/** The problem of a topic name; undefined if it is valid. */
export function topicNameFault(topic: string): NameFault | undefined {
  return nameFault(topic, LIMITS.topicNameLength) ?? (isSystemTopic(topic) ? 'reserved' : undefined);
}

/** Whether a topic is the server's own, to which no application may send. */
export function isSystemTopic(topic: string): boolean {
  return SYSTEM_TOPICS.has(topic) || topic.startsWith('rmq_sys_');
}

/** The problem of a consumer group name; undefined if it is valid. */
export function consumerGroupNameFault(group: string): NameFault | undefined {
  const fault = nameFault(group, LIMITS.consumerGroupNameLength);
  return fault ?? (group.startsWith('CID_RMQ_SYS_') ? 'reserved' : undefined);
}

/** A description of the problem of a topic name; undefined if it is valid. */
export function topicNameProblem(topic: string): string | undefined {
  return typeof topic === 'string' ? problemOf(topicNameFault(topic), LIMITS.topicNameLength, 'topic') : NO_STRING;
}

/** A description of the problem of a consumer group name; undefined if it is valid. */
export function consumerGroupNameProblem(group: string): string | undefined {
  if (typeof group !== 'string') return NO_STRING;
  return problemOf(consumerGroupNameFault(group), LIMITS.consumerGroupNameLength, 'group');
}

/** The problem of the name of a lite topic; undefined if it is valid. */
export function liteTopicFault(liteTopic: string): Exclude<NameFault, 'reserved'> | undefined {
  if (liteTopic.trim() === '') return 'blank';
  if (liteTopic.length > LIMITS.liteTopicLength) return 'too-long';
  return LITE_TOPIC.test(liteTopic) ? undefined : 'characters';
}

/** A description of the problem of the name of a lite topic; undefined if it is valid. */
export function liteTopicProblem(liteTopic: string): string | undefined {
  if (typeof liteTopic !== 'string') return NO_STRING;
  const fault = liteTopicFault(liteTopic);
  if (fault === 'characters') return 'may contain only letters, digits, "_" and "-"';
  return problemOf(fault, LIMITS.liteTopicLength, 'lite topic');
}

function nameFault(name: string, longest: number): NameFault | undefined {
  if (typeof name !== 'string') return 'characters';
  if (name.trim() === '') return 'blank';
  if (name.length > longest) return 'too-long';
  return NAME.test(name) ? undefined : 'characters';
}

function problemOf(fault: NameFault | undefined, longest: number, what: string): string | undefined {
  switch (fault) {
    case 'blank':
      return 'is blank';
    case 'too-long':
      return `is longer than ${longest} characters`;
    case 'characters':
      return 'may contain only letters, digits, "_", "-", "%" and "|"';
    case 'reserved':
      return `is a system ${what}`;
    case undefined:
      return undefined;
  }
}

/** Whether the string contains an ISO control character, which the server rejects nearly everywhere. */
export function hasControlCharacter(text: string): boolean {
  return CONTROL.test(text);
}

/** Whether the string contains half of a surrogate pair: UTF-8 has no form for it, so what is stored is another string. */
export function hasHalfCharacter(text: string): boolean {
  // Bodies of megabytes are checked, too. The type is that of a newer library than the compiler's.
  return !(text as unknown as { isWellFormed(): boolean }).isWellFormed();
}

/** What is wrong with such a string. */
export const HALF_CHARACTER_PROBLEM =
  'contains half of a character (a lone surrogate), which would be stored as another one';

/** The first characters of a text, as many as fit into so many UTF-16 units: none is cut in half. */
export function beginningOf(text: string, length: number): string {
  return text.slice(0, length).replace(/\p{Surrogate}$/u, '');
}

/**
 * Whether a property is the server's own, so that no copy of a message may carry it: it is reserved, names queues of lite topics, or the message
 * group.
 */
export function isServersProperty(name: string): boolean {
  return isReservedProperty(name) || name === LITE_QUEUE_PROPERTY || name === MESSAGE_GROUP_PROPERTY;
}

/** Whether the property name is reserved by the server, which rejects it from a producer and hides it from a consumer. */
export function isReservedProperty(name: string): boolean {
  return RESERVED_PROPERTIES.has(name);
}

/** The topic that stores the dead letters of a consumer group. The server creates it at the first dead letter. */
export function deadLetterTopicOf(consumerGroup: string): string {
  return DEAD_LETTER_PREFIX + consumerGroup;
}
