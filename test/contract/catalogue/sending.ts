// The answers to SendMessage.

import { HOUR_MS, MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq/client';
import { toDuration } from '../../../libs/rocketmq/src/protocol/grpc/duration.js';
import { codeOf, codeOfSend, messageOf } from '../support/question.js';
import type { RawMessage } from '../support/raw-send.js';
import type { World } from '../support/world.js';
import { type Catalogue, type Row, WORDS } from './rows.js';

const send =
  (raw: RawMessage, type: Parameters<World['topic']>[0] = 'normal') =>
  async (world: World) =>
    codeOfSend(world, await world.topic(type), raw);
const properties = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, 'x']));
/** The bytes that count towards the limit of 16 KiB in addition to the value of the one property. */
const sized = (total: number): RawMessage => ({ tag: 'tag', keys: ['k'], properties: { pp: 'x'.repeat(total - 6) } });

const RESERVED =
  'TRACE_ON MSG_REGION KEYS TAGS WAIT DELAY RETRY_TOPIC ORIGIN_GROUP REAL_TOPIC REAL_QID TRAN_MSG PGROUP MIN_OFFSET ' +
  'MAX_OFFSET BUYER_ID ORIGIN_MESSAGE_ID TRANSFER_FLAG CORRECTION_FLAG MQ2_FLAG RECONSUME_TIME UNIQ_KEY ' +
  'MAX_RECONSUME_TIMES CONSUME_START_TIME POP_CK POP_CK_OFFSET 1ST_POP_TIME TRAN_PREPARED_QUEUE_OFFSET DUP_INFO ' +
  'EXTEND_UNIQ_INFO INSTANCE_ID CORRELATION_ID REPLY_TO_CLIENT TTL ARRIVE_TIME PUSH_REPLY_TIME CLUSTER MSG_TYPE ' +
  'INNER_MULTI_QUEUE_OFFSET TIMER_DELAY_MS TIMER_DELAY_SEC TIMER_DELIVER_MS TIMER_ENQUEUE_MS TIMER_DEQUEUE_MS ' +
  'TIMER_ROLL_TIMES TIMER_OUT_MS TIMER_DEL_UNIQKEY TIMER_DELAY_LEVEL __BORNHOST BORN_TIMESTAMP DLQ_ORIGIN_TOPIC ' +
  'DLQ_ORIGIN_MESSAGE_ID __CRC32# _SYS_MSG_PRIORITY_ __LITE_TOPIC';

/** One answer if all names get the same, otherwise the answer for each name. */
async function forEachReserved(world: World): Promise<string> {
  const topic = await world.topic();
  const answers = new Map<string, string[]>();
  for (const name of RESERVED.split(' ')) {
    const code = await codeOfSend(world, topic, { properties: { [name]: 'x' } });
    answers.set(code, [...(answers.get(code) ?? []), name]);
  }
  return answers.size === 1 ? ([...answers.keys()][0] as string) : JSON.stringify([...answers]);
}

const TYPES = ['normal', 'fifo', 'delay', 'transaction'] as const;
const asType = (world: World, type: (typeof TYPES)[number]): RawMessage => {
  if (type === 'fifo') return { messageType: 2, messageGroup: 'g' };
  if (type === 'delay') return { messageType: 3, deliveryTimestamp: new Date(world.nowMs() + MINUTE_MS) };
  return { messageType: type === 'transaction' ? 4 : 1 };
};
const typeRows = TYPES.flatMap((topicType) =>
  TYPES.map((type): Row => {
    const expected = type === topicType ? 'OK' : 'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE';
    const ask = async (world: World) => codeOfSend(world, await world.topic(topicType), asType(world, type));
    const words = `${WORDS.wrongType}${topicType.toUpperCase()}, but actual type is ${type.toUpperCase()}`;
    return [`a ${type} message to a ${topicType} topic`, expected, ask, ...(type === topicType ? [] : [words])];
  }),
);

const sendTogether =
  (second: (world: World, topic: string) => RawMessage & { topic?: string }, first: RawMessage = {}) =>
  async (world: World) => {
    const topic = await world.topic(first.messageType === 4 ? 'transaction' : 'normal');
    const { topic: other = topic, ...raw } = second(world, topic);
    const messages = [messageOf(world, topic, first), messageOf(world, other, raw)];
    return codeOf(world.rawClient(), 'sendMessage', { messages });
  };

const ILLEGAL_TOPICS = {
  '': WORDS.blankTopic,
  'a b': WORDS.illegalTopic,
  ['x'.repeat(128)]: WORDS.longTopic,
  TBW102: WORDS.systemTopic,
};

const SEND_MESSAGE_ROWS: readonly Row[] = [
  ...typeRows,
  ...Object.entries(ILLEGAL_TOPICS).map(([name, words]): Row => {
    const condition = `the topic "${name.slice(0, 10)}" of ${name.length}`;
    return [condition, 'ILLEGAL_TOPIC', (world) => codeOfSend(world, name), words];
  }),
  [
    'a topic that does not exist',
    'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
    (world) => codeOfSend(world, world.name()),
    `${WORDS.wrongType}UNSPECIFIED, but actual type is NORMAL`,
  ],
  ['a dead letter topic that does not exist', 'TOPIC_NOT_FOUND', (world) => codeOfSend(world, `%DLQ%${world.name()}`)],
  ['the type FIFO without a message group', 'OK', send({ messageType: 2 })],
  [
    'no message',
    'MESSAGE_CORRUPTED',
    (world) => codeOf(world.rawClient(), 'sendMessage', { messages: [] }),
    'no message to send',
  ],
  [
    'messages of two topics',
    'MESSAGE_CORRUPTED',
    sendTogether((world) => ({ topic: world.name() })),
    'topic in message is not same',
  ],
  ['a good and a bad message', 'ILLEGAL_MESSAGE_TAG', sendTogether(() => ({ tag: 'a|b' })), "tag cannot contain '|'"],
  ['messages of two types', 'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE', sendTogether(() => ({ messageGroup: 'g' }))],
  ['two half messages', 'BAD_REQUEST', sendTogether(() => ({ messageType: 4 }), { messageType: 4 })],
  [
    'bodies of over 4 MiB together',
    'MESSAGE_BODY_TOO_LARGE',
    sendTogether(() => ({ body: Buffer.alloc(3_000_000) }), { body: Buffer.alloc(3_000_000) }),
  ],
  ['no body', 'MESSAGE_BODY_EMPTY', send({ body: Buffer.alloc(0) }), 'message body cannot be empty'],
  ['a body of 4 MiB', 'OK', send({ body: Buffer.alloc(4_194_304, 1) })],
  [
    'a body of 4 MiB and a byte',
    'MESSAGE_BODY_TOO_LARGE',
    send({ body: Buffer.alloc(4_194_305, 1) }),
    'message body cannot exceed the max 4194304',
  ],
  ['no message id', 'ILLEGAL_MESSAGE_ID', send({ messageId: '' }), 'message id cannot be empty'],
  ['a blank message id', 'ILLEGAL_MESSAGE_ID', send({ messageId: ' ' }), 'message id cannot be empty'],
  ['a message id of any text', 'OK', send({ messageId: 'abc' })],
  ['an empty tag', 'OK', send({ tag: '' })],
  ['a blank tag', 'ILLEGAL_MESSAGE_TAG', send({ tag: ' ' }), 'tag cannot be the char sequence of whitespace'],
  ['a tag with |', 'ILLEGAL_MESSAGE_TAG', send({ tag: 'a|b' }), "tag cannot contain '|'"],
  [
    'a tag with a control character',
    'ILLEGAL_MESSAGE_TAG',
    send({ tag: 'a\u0001' }),
    'tag cannot contain control character',
  ],
  ['an empty key', 'OK', send({ keys: [''] })],
  ['a blank key', 'ILLEGAL_MESSAGE_KEY', send({ keys: ['a', ' '] }), 'key cannot be the char sequence of whitespace'],
  [
    'a key with a control character',
    'ILLEGAL_MESSAGE_KEY',
    send({ keys: ['a\u007f'] }),
    'key cannot contain control character',
  ],
  ['a key with a blank inside', 'OK', send({ keys: ['a b'] })],
  [
    'an empty message group, to an ordered topic',
    'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
    send({ messageGroup: '' }, 'fifo'),
    `${WORDS.wrongType}FIFO, but actual type is NORMAL`,
  ],
  ['an empty message group, to an ordinary topic', 'OK', send({ messageGroup: '' })],
  [
    'a blank message group',
    'ILLEGAL_MESSAGE_GROUP',
    send({ messageGroup: ' ' }, 'fifo'),
    'message group cannot be the char sequence of whitespace',
  ],
  [
    'a message group with a control character',
    'ILLEGAL_MESSAGE_GROUP',
    send({ messageGroup: 'a\n' }, 'fifo'),
    'message group cannot contain control character',
  ],
  ['a message group of 63 bytes', 'OK', send({ messageGroup: `${'ü'.repeat(31)}g` }, 'fifo')],
  [
    'a message group of 64 bytes',
    'ILLEGAL_MESSAGE_GROUP',
    send({ messageGroup: 'ü'.repeat(32) }, 'fifo'),
    'message group exceed the max size 64',
  ],
  ['128 properties', 'OK', send({ properties: properties(128) })],
  [
    '129 properties',
    'MESSAGE_PROPERTIES_TOO_LARGE',
    send({ properties: properties(129) }),
    'too many user properties, max is 128',
  ],
  ['properties of 16384 bytes', 'OK', send(sized(16_384))],
  [
    'properties of 16385 bytes',
    'MESSAGE_PROPERTIES_TOO_LARGE',
    send(sized(16_385)),
    'the total size of user property is too large, max is 16384',
  ],
  ['a property without a value', 'OK', send({ properties: { a: '' } })],
  [
    'a control character in a name',
    'ILLEGAL_MESSAGE_PROPERTY_KEY',
    send({ properties: { 'a\u0002': 'x' } }),
    'the key of property cannot contain control character',
  ],
  [
    'a control character in a value',
    'ILLEGAL_MESSAGE_PROPERTY_KEY',
    send({ properties: { a: 'x\u0085' } }),
    'the value of property cannot contain control character',
  ],
  [
    'a reserved name of a property',
    'ILLEGAL_MESSAGE_PROPERTY_KEY',
    forEachReserved,
    'property is used by system: __LITE_TOPIC',
  ],
  ['a digest that is wrong', 'OK', send({ bodyDigest: { type: 2, checksum: 'ABC' } })],
  ['a body that is not the gzip it says', 'OK', send({ bodyEncoding: 2 })],
  ['no type', 'OK', send({ messageType: 0 })],
  [
    'a delay of 24 h and more',
    'ILLEGAL_DELIVERY_TIME',
    (world) => send({ deliveryTimestamp: new Date(world.nowMs() + 24 * HOUR_MS + MINUTE_MS) }, 'delay')(world),
    'the max delay time of message is too large, max is 86400000',
  ],
  [
    'a delay of nearly 24 h',
    'OK',
    (world) => send({ deliveryTimestamp: new Date(world.nowMs() + 24 * HOUR_MS - MINUTE_MS) }, 'delay')(world),
  ],
  ['a delivery time that has passed', 'OK', (w) => send({ deliveryTimestamp: new Date(w.nowMs() - 1) }, 'delay')(w)],
  [
    'a recovery duration of 1 h',
    'OK',
    send({ messageType: 4, orphanedTransactionRecoveryDuration: toDuration(HOUR_MS) }, 'transaction'),
  ],
  [
    'a recovery duration of over 1 h',
    'BAD_REQUEST',
    send({ messageType: 4, orphanedTransactionRecoveryDuration: toDuration(HOUR_MS + SECOND_MS) }, 'transaction'),
    'the max transaction recovery time of message is too large, max is 3600',
  ],
  [
    'an illegal lite topic',
    'ILLEGAL_LITE_TOPIC',
    send({ liteTopic: 'a b' }),
    'lite topic can only contain alphanumeric characters, hyphens(-), and underscores(_)',
  ],
  [
    'a lite topic of 65 bytes',
    'ILLEGAL_LITE_TOPIC',
    send({ liteTopic: 'x'.repeat(65) }),
    'lite topic exceed the max size 64',
  ],
  [
    'a lite topic to an ordinary topic',
    'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
    send({ liteTopic: 'a' }),
    `${WORDS.wrongType}NORMAL, but actual type is LITE`,
  ],
  [
    'a priority to an ordinary topic',
    'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
    send({ priority: 1 }),
    `${WORDS.wrongType}NORMAL, but actual type is PRIORITY`,
  ],
  [
    'no client id',
    'CLIENT_ID_REQUIRED',
    (world) => codeOf(world.rawClient(''), 'sendMessage', { messages: [] }),
    WORDS.noClientId,
  ],
];

export const SENDING: Catalogue = {
  SendMessage: SEND_MESSAGE_ROWS,
};
