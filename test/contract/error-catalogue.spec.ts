// What each RPC answers to what it cannot do: one row each, on both servers (PROTOCOL: limits, error catalogue, names).

import { describe } from '@jest/globals';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq/client';
import { toDuration } from '../../libs/rocketmq/src/protocol/duration.js';
import {
  ClientType,
  FilterType,
  TransactionResolution,
} from '../../libs/rocketmq/src/protocol/generated/apache/rocketmq/v2/definition.js';
import { consumerSettings, producerSettings, receiveRequest, resource } from '../support/raw-grpc-client.js';
import { SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import {
  codeOf,
  codeOfReceive,
  codeOfSend,
  codeOfSettings,
  consuming,
  delayedSent,
  halfSent,
  holding,
  messageOf,
} from './support/question.js';
import type { RawMessage } from './support/raw-send.js';
import type { World } from './support/world.js';

/** When, what fits, and how to ask for it. */
type Row = readonly [condition: string, expected: string, ask: (world: World) => Promise<string>];

const contract = contractSuite();

function catalogue(rpc: string, rows: readonly Row[]): void {
  describe(rpc, () => {
    for (const [condition, expected, ask] of rows) contract.answers(`${rpc}: ${condition}`, expected, ask);
  });
}

const SYSTEM_TOPICS = (
  'TBW102 SCHEDULE_TOPIC_XXXX BenchmarkTest RMQ_SYS_TRANS_HALF_TOPIC RMQ_SYS_TRACE_TOPIC RMQ_SYS_TRANS_OP_HALF_TOPIC ' +
  'TRANS_CHECK_MAX_TIME_TOPIC SELF_TEST_TOPIC OFFSET_MOVED_EVENT CHECKPOINT_TOPIC RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC ' +
  'RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC rmq_sys_anything'
).split(' ');

const route = (name: string) => (world: World) => codeOf(world.rawClient(), 'queryRoute', { topic: resource(name) });

catalogue('QueryRoute', [
  ['a topic that does not exist', 'TOPIC_NOT_FOUND', (world) => route(world.name())(world)],
  ['a topic without a name', 'ILLEGAL_TOPIC', route('')],
  ['a blank topic', 'ILLEGAL_TOPIC', route(' ')],
  ['a topic with a blank', 'ILLEGAL_TOPIC', route('a b')],
  ['a topic with a letter that is not ASCII', 'ILLEGAL_TOPIC', route('größe')],
  ['a topic with % and |', 'TOPIC_NOT_FOUND', route('a%b|c-_9')],
  ['a topic of 127 characters', 'TOPIC_NOT_FOUND', route('x'.repeat(127))],
  ['a topic of 128 characters', 'ILLEGAL_TOPIC', route('x'.repeat(128))],
  ...SYSTEM_TOPICS.map((name): Row => [`the system topic ${name}`, 'ILLEGAL_TOPIC', route(name)]),
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOf(world.rawClient(''), 'queryRoute', {})],
]);

const assign = (group: string) => async (world: World) =>
  codeOf(world.rawClient(), 'queryAssignment', {
    topic: resource(await world.topic()),
    group: resource(group),
  });

catalogue('QueryAssignment', [
  [
    'a topic that does not exist',
    'TOPIC_NOT_FOUND',
    async (world) =>
      codeOf(world.rawClient(), 'queryAssignment', {
        topic: resource(world.name()),
        group: resource(await world.group()),
      }),
  ],
  ['a group that does not exist', 'OK', (world) => assign(world.name())(world)],
  ['no group', 'ILLEGAL_CONSUMER_GROUP', assign('')],
  ['a group with a blank', 'ILLEGAL_CONSUMER_GROUP', assign('a b')],
  ['a group of 120 characters', 'OK', assign('g'.repeat(120))],
  ['a group of 121 characters', 'ILLEGAL_CONSUMER_GROUP', assign('g'.repeat(121))],
  ['a system group', 'ILLEGAL_CONSUMER_GROUP', assign('CID_RMQ_SYS_any')],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOf(world.rawClient(''), 'queryAssignment', {})],
]);

const send =
  (raw: RawMessage, type: Parameters<World['topic']>[0] = 'normal') =>
  async (world: World) =>
    codeOfSend(world, await world.topic(type), raw);
const properties = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, 'x']));
/** What the limit of 16 KiB counts besides the value of the one property. */
const sized = (total: number): RawMessage => ({ tag: 'tag', keys: ['k'], properties: { pp: 'x'.repeat(total - 6) } });

const RESERVED =
  'TRACE_ON MSG_REGION KEYS TAGS WAIT DELAY RETRY_TOPIC ORIGIN_GROUP REAL_TOPIC REAL_QID TRAN_MSG PGROUP MIN_OFFSET ' +
  'MAX_OFFSET BUYER_ID ORIGIN_MESSAGE_ID TRANSFER_FLAG CORRECTION_FLAG MQ2_FLAG RECONSUME_TIME UNIQ_KEY ' +
  'MAX_RECONSUME_TIMES CONSUME_START_TIME POP_CK POP_CK_OFFSET 1ST_POP_TIME TRAN_PREPARED_QUEUE_OFFSET DUP_INFO ' +
  'EXTEND_UNIQ_INFO INSTANCE_ID CORRELATION_ID REPLY_TO_CLIENT TTL ARRIVE_TIME PUSH_REPLY_TIME CLUSTER MSG_TYPE ' +
  'INNER_MULTI_QUEUE_OFFSET TIMER_DELAY_MS TIMER_DELAY_SEC TIMER_DELIVER_MS TIMER_ENQUEUE_MS TIMER_DEQUEUE_MS ' +
  'TIMER_ROLL_TIMES TIMER_OUT_MS TIMER_DEL_UNIQKEY TIMER_DELAY_LEVEL __BORNHOST BORN_TIMESTAMP DLQ_ORIGIN_TOPIC ' +
  'DLQ_ORIGIN_MESSAGE_ID __CRC32# _SYS_MSG_PRIORITY_ __LITE_TOPIC';

/** One answer when all names get the same, else what each got. */
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
    return [`a ${type} message to a ${topicType} topic`, expected, ask];
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

catalogue('SendMessage', [
  ...typeRows,
  ...['', 'a b', 'x'.repeat(128), 'TBW102'].map(
    (name): Row => [`the topic "${name.slice(0, 10)}" of ${name.length}`, 'ILLEGAL_TOPIC', (w) => codeOfSend(w, name)],
  ),
  ['a topic that does not exist', 'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE', (world) => codeOfSend(world, world.name())],
  ['a dead letter topic that does not exist', 'TOPIC_NOT_FOUND', (world) => codeOfSend(world, `%DLQ%${world.name()}`)],
  ['the type FIFO without a message group', 'OK', send({ messageType: 2 })],
  ['no message', 'MESSAGE_CORRUPTED', (world) => codeOf(world.rawClient(), 'sendMessage', { messages: [] })],
  ['messages of two topics', 'MESSAGE_CORRUPTED', sendTogether((world) => ({ topic: world.name() }))],
  ['a good and a bad message', 'ILLEGAL_MESSAGE_TAG', sendTogether(() => ({ tag: 'a|b' }))],
  ['messages of two types', 'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE', sendTogether(() => ({ messageGroup: 'g' }))],
  ['two half messages', 'BAD_REQUEST', sendTogether(() => ({ messageType: 4 }), { messageType: 4 })],
  [
    'bodies of over 4 MiB together',
    'MESSAGE_BODY_TOO_LARGE',
    sendTogether(() => ({ body: Buffer.alloc(3_000_000) }), { body: Buffer.alloc(3_000_000) }),
  ],
  ['no body', 'MESSAGE_BODY_EMPTY', send({ body: Buffer.alloc(0) })],
  ['a body of 4 MiB', 'OK', send({ body: Buffer.alloc(4_194_304, 1) })],
  ['a body of 4 MiB and a byte', 'MESSAGE_BODY_TOO_LARGE', send({ body: Buffer.alloc(4_194_305, 1) })],
  ['no message id', 'ILLEGAL_MESSAGE_ID', send({ messageId: '' })],
  ['a blank message id', 'ILLEGAL_MESSAGE_ID', send({ messageId: ' ' })],
  ['a message id of any text', 'OK', send({ messageId: 'abc' })],
  ['an empty tag', 'OK', send({ tag: '' })],
  ['a blank tag', 'ILLEGAL_MESSAGE_TAG', send({ tag: ' ' })],
  ['a tag with |', 'ILLEGAL_MESSAGE_TAG', send({ tag: 'a|b' })],
  ['a tag with a control character', 'ILLEGAL_MESSAGE_TAG', send({ tag: 'a\u0001' })],
  ['an empty key', 'OK', send({ keys: [''] })],
  ['a blank key', 'ILLEGAL_MESSAGE_KEY', send({ keys: ['a', ' '] })],
  ['a key with a control character', 'ILLEGAL_MESSAGE_KEY', send({ keys: ['a\u007f'] })],
  ['a key with a blank inside', 'OK', send({ keys: ['a b'] })],
  [
    'an empty message group, to an ordered topic',
    'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
    send({ messageGroup: '' }, 'fifo'),
  ],
  ['an empty message group, to an ordinary topic', 'OK', send({ messageGroup: '' })],
  ['a blank message group', 'ILLEGAL_MESSAGE_GROUP', send({ messageGroup: ' ' }, 'fifo')],
  ['a message group with a control character', 'ILLEGAL_MESSAGE_GROUP', send({ messageGroup: 'a\n' }, 'fifo')],
  ['a message group of 63 bytes', 'OK', send({ messageGroup: `${'ü'.repeat(31)}g` }, 'fifo')],
  ['a message group of 64 bytes', 'ILLEGAL_MESSAGE_GROUP', send({ messageGroup: 'ü'.repeat(32) }, 'fifo')],
  ['128 properties', 'OK', send({ properties: properties(128) })],
  ['129 properties', 'MESSAGE_PROPERTIES_TOO_LARGE', send({ properties: properties(129) })],
  ['properties of 16384 bytes', 'OK', send(sized(16_384))],
  ['properties of 16385 bytes', 'MESSAGE_PROPERTIES_TOO_LARGE', send(sized(16_385))],
  ['a property without a value', 'OK', send({ properties: { a: '' } })],
  ['a control character in a name', 'ILLEGAL_MESSAGE_PROPERTY_KEY', send({ properties: { 'a\u0002': 'x' } })],
  ['a control character in a value', 'ILLEGAL_MESSAGE_PROPERTY_KEY', send({ properties: { a: 'x\u0085' } })],
  ['a reserved name of a property', 'ILLEGAL_MESSAGE_PROPERTY_KEY', forEachReserved],
  ['a digest that is wrong', 'OK', send({ bodyDigest: { type: 2, checksum: 'ABC' } })],
  ['a body that is not the gzip it says', 'OK', send({ bodyEncoding: 2 })],
  ['no type', 'OK', send({ messageType: 0 })],
  [
    'a delay of 24 h and more',
    'ILLEGAL_DELIVERY_TIME',
    (world) => send({ deliveryTimestamp: new Date(world.nowMs() + 24 * HOUR_MS + MINUTE_MS) }, 'delay')(world),
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
  ],
  ['an illegal lite topic', 'ILLEGAL_LITE_TOPIC', send({ liteTopic: 'a b' })],
  ['a lite topic of 65 bytes', 'ILLEGAL_LITE_TOPIC', send({ liteTopic: 'x'.repeat(65) })],
  ['a lite topic to an ordinary topic', 'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE', send({ liteTopic: 'a' })],
  ['a priority to an ordinary topic', 'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE', send({ priority: 1 })],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOf(world.rawClient(''), 'sendMessage', { messages: [] })],
]);

type ReceiveFields = Parameters<typeof codeOfReceive>[1];
/** Of a group for which one message waits, so that nothing has to be waited for. */
const receive =
  (fields: ReceiveFields, options: { deadlineMs?: number | null } = {}) =>
  async (world: World) => {
    const { client, topic, group } = await consuming(world);
    await codeOfSend(world, topic);
    return codeOfReceive(client, { ...receiveRequest(topic, group), ...POLL, ...fields }, options);
  };
/** The shortest poll that the server takes. */
const POLL = { longPollingTimeout: toDuration(5 * SECOND_MS) };
const queueOf = (topic: string) => ({ ...receiveRequest(topic, 'any').messageQueue }) as ReceiveFields['messageQueue'];
const lease = (durationMs: number) => ({ invisibleDuration: toDuration(durationMs) });
const filter = (type: FilterType, expression: string) => ({ filterExpression: { type, expression } });

catalogue('ReceiveMessage', [
  ['a message', 'OK', receive({})],
  [
    'nothing to receive',
    'MESSAGE_NOT_FOUND',
    async (world) => {
      const { client, topic, group } = await consuming(world);
      return codeOfReceive(client, { ...receiveRequest(topic, group), ...POLL });
    },
  ],
  ['nothing that the filter wants', 'MESSAGE_NOT_FOUND', receive(filter(FilterType.TAG, 'other'))],
  ['a batch of no message', 'MESSAGE_NOT_FOUND', receive({ batchSize: 0 })],
  ['a batch of 100 messages', 'OK', receive({ batchSize: 100 })],
  ['an illegal topic', 'ILLEGAL_TOPIC', receive({ messageQueue: queueOf('a b') })],
  ['an illegal group', 'ILLEGAL_CONSUMER_GROUP', receive({ group: resource('a b') })],
  [
    'a topic that does not exist',
    'TOPIC_NOT_FOUND',
    (world) => receive({ messageQueue: queueOf(world.name()) })(world),
  ],
  [
    'a group that does not exist',
    'CONSUMER_GROUP_NOT_FOUND',
    (world) => receive({ group: resource(world.name()) })(world),
  ],
  [
    'a client without settings',
    'UNRECOGNIZED_CLIENT_TYPE',
    async (world) => codeOfReceive(world.rawClient(), receiveRequest(await world.topic(), await world.group())),
  ],
  ['no deadline', 'ILLEGAL_POLLING_TIME', receive({}, { deadlineMs: null })],
  ['a deadline of under 5 s', 'ILLEGAL_POLLING_TIME', receive({}, { deadlineMs: 4_000 })],
  [
    'a deadline of under 5 s, from a client before 5.0.3',
    'BAD_REQUEST',
    async (world) => {
      const { topic, group } = await consuming(world);
      const client = world.rawClient(world.name(), { 'x-mq-client-version': '5.0.2' });
      await client.settle(consumerSettings(group));
      return codeOfReceive(client, receiveRequest(topic, group), { deadlineMs: 4_000 });
    },
  ],
  ['no lease', 'ILLEGAL_INVISIBLE_TIME', receive({ invisibleDuration: undefined })],
  ['a lease of under 10 s', 'ILLEGAL_INVISIBLE_TIME', receive(lease(10 * SECOND_MS - 1))],
  ['a lease of 12 h', 'OK', receive(lease(12 * HOUR_MS))],
  ['a lease of over 12 h', 'ILLEGAL_INVISIBLE_TIME', receive(lease(12 * HOUR_MS + 1))],
  ['no lease of its own', 'OK', receive({ autoRenew: true, invisibleDuration: undefined })],
  ['empty SQL', 'ILLEGAL_FILTER_EXPRESSION', receive(filter(FilterType.SQL, ''))],
  ['bad SQL', 'ILLEGAL_FILTER_EXPRESSION', receive(filter(FilterType.SQL, 'a = = 1'))],
  ['an empty tag filter', 'OK', receive(filter(FilterType.TAG, ''))],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOfReceive(world.rawClient(''), {})],
]);

const GARBAGE = 'no handle of this server';
const LEASE_MS = 10 * SECOND_MS;
const lapsed = async (world: World) => {
  const held = await holding(world, LEASE_MS);
  await world.backend.advanceDuringWork(LEASE_MS + SERVER_SLACK_MS);
  return held;
};
const acked = async (world: World) => {
  const held = await holding(world);
  await held.client.call('ackMessage', { ...held.names, entries: [held.entry] });
  return held;
};
const changed = async (world: World) => {
  const held = await holding(world);
  const { receiptHandle, messageId, names } = held;
  const change = { ...names, receiptHandle, messageId, invisibleDuration: toDuration(MINUTE_MS) };
  await held.client.call('changeInvisibleDuration', change);
  return held;
};

const ack = (prepare: typeof holding, receiptHandle?: string) => async (world: World) => {
  const { client, names, entry } = await prepare(world);
  return codeOf(client, 'ackMessage', { ...names, entries: [{ ...entry, ...(receiptHandle && { receiptHandle }) }] });
};

catalogue('AckMessage', [
  ['a handle in force', 'OK', ack(holding)],
  ['a handle that was acknowledged', 'OK', ack(acked)],
  ['a handle that a newer one replaced', 'INVALID_RECEIPT_HANDLE', ack(changed)],
  ['a handle whose lease ended', 'INVALID_RECEIPT_HANDLE', ack(lapsed)],
  ['a text that is no handle', 'INVALID_RECEIPT_HANDLE', ack(holding, GARBAGE)],
  [
    'an empty handle',
    'INVALID_RECEIPT_HANDLE',
    async (world) => {
      const { client, names } = await consuming(world);
      return codeOf(client, 'ackMessage', { ...names, entries: [{ messageId: 'x', receiptHandle: '' }] });
    },
  ],
  [
    'the group of someone else',
    'INVALID_RECEIPT_HANDLE',
    async (world) => {
      const { client, names, entry } = await holding(world);
      const group = resource(await world.group());
      return codeOf(client, 'ackMessage', { ...names, group, entries: [entry] });
    },
  ],
  [
    'a topic that does not exist',
    'INVALID_RECEIPT_HANDLE',
    async (world) => {
      const { client, names, entry } = await holding(world);
      return codeOf(client, 'ackMessage', { ...names, topic: resource(world.name()), entries: [entry] });
    },
  ],
  [
    'a good and a bad handle',
    'MULTIPLE_RESULTS',
    async (world) => {
      const { client, names, entry } = await holding(world);
      const entries = [entry, { messageId: 'x', receiptHandle: GARBAGE }];
      return codeOf(client, 'ackMessage', { ...names, entries });
    },
  ],
  [
    'no handle',
    'BAD_REQUEST',
    async (world) => {
      const { client, names } = await consuming(world);
      return codeOf(client, 'ackMessage', { ...names, entries: [] });
    },
  ],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOf(world.rawClient(''), 'ackMessage', { entries: [] })],
]);

const change =
  (prepare: typeof holding, durationMs: number, replacement?: string) =>
  async (world: World): Promise<string> => {
    const { client, names, messageId, receiptHandle } = await prepare(world);
    const request = { ...names, messageId, receiptHandle: replacement ?? receiptHandle };
    return codeOf(client, 'changeInvisibleDuration', { ...request, invisibleDuration: toDuration(durationMs) });
  };

catalogue('ChangeInvisibleDuration', [
  ['nothing to wait for', 'OK', change(holding, 0)],
  ['12 h', 'OK', change(holding, 12 * HOUR_MS)],
  ['less than nothing', 'ILLEGAL_INVISIBLE_TIME', change(holding, -SECOND_MS)],
  ['over 12 h', 'ILLEGAL_INVISIBLE_TIME', change(holding, 12 * HOUR_MS + 1)],
  ['a handle whose lease ended', 'INVALID_RECEIPT_HANDLE', change(lapsed, MINUTE_MS)],
  ['a handle that was acknowledged', 'INVALID_RECEIPT_HANDLE', change(acked, MINUTE_MS)],
  ['a handle that a newer one replaced', 'INVALID_RECEIPT_HANDLE', change(changed, MINUTE_MS)],
  ['a text that is no handle', 'INVALID_RECEIPT_HANDLE', change(holding, MINUTE_MS, GARBAGE)],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOf(world.rawClient(''), 'changeInvisibleDuration', {})],
]);

const forward =
  (prepare: typeof holding, replacement?: string) =>
  async (world: World): Promise<string> => {
    const { client, names, messageId, receiptHandle } = await prepare(world);
    const request = { ...names, messageId, deliveryAttempt: 1, maxDeliveryAttempts: 1 };
    const handle = { receiptHandle: replacement ?? receiptHandle };
    return codeOf(client, 'forwardMessageToDeadLetterQueue', { ...request, ...handle });
  };

catalogue('ForwardMessageToDeadLetterQueue', [
  ['a handle in force', 'OK', forward(holding)],
  ['a handle whose lease ended', 'OK', forward(lapsed)],
  ['a text that is no handle', 'INVALID_RECEIPT_HANDLE', forward(holding, GARBAGE)],
  ['no client id', 'CLIENT_ID_REQUIRED', (w) => codeOf(w.rawClient(''), 'forwardMessageToDeadLetterQueue', {})],
]);

const { COMMIT, TRANSACTION_RESOLUTION_UNSPECIFIED: UNSPECIFIED } = TransactionResolution;
const end =
  (fields: { transactionId?: string }, ...resolutions: TransactionResolution[]) =>
  async (world: World): Promise<string> => {
    const { client, end: request } = await halfSent(world);
    const codes: string[] = [];
    for (const resolution of resolutions) {
      codes.push(await codeOf(client, 'endTransaction', { ...request, ...fields, resolution, source: 1 }));
    }
    return codes.join(', ');
  };

catalogue('EndTransaction', [
  ['a commit', 'OK', end({}, COMMIT)],
  ['a second commit', 'OK, INTERNAL_SERVER_ERROR', end({}, COMMIT, COMMIT)],
  ['no resolution, and a commit after it', 'OK, INTERNAL_SERVER_ERROR', end({}, UNSPECIFIED, COMMIT)],
  ['no transaction id', 'INVALID_TRANSACTION_ID', end({ transactionId: '' }, COMMIT)],
  ['a blank transaction id', 'INVALID_TRANSACTION_ID', end({ transactionId: ' ' }, COMMIT)],
  ['a transaction that nobody began', 'INTERNAL_SERVER_ERROR', end({ transactionId: 'unknown' }, COMMIT)],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOf(world.rawClient(''), 'endTransaction', {})],
]);

const recall =
  (recallHandle: (handle: string) => string, delayMs = HOUR_MS) =>
  async (world: World): Promise<string> => {
    const { client, topic, recallHandle: handle } = await delayedSent(world, delayMs);
    return codeOf(client, 'recallMessage', { topic, recallHandle: recallHandle(handle) });
  };
const retold = (change: (parts: string[]) => string[]) => (handle: string) =>
  Buffer.from(change(Buffer.from(handle, 'base64url').toString().split(' ')).join(' ')).toString('base64url');

catalogue('RecallMessage', [
  ['a delayed message', 'OK', recall((handle) => handle)],
  ['a message id that nobody sent', 'OK', recall(retold((parts) => [...parts.slice(0, 4), 'unknown']))],
  ['no handle', 'BAD_REQUEST', recall(() => '')],
  ['a text that is no handle', 'BAD_REQUEST', recall(() => GARBAGE)],
  ['a handle of another version', 'BAD_REQUEST', recall(retold((parts) => ['v9', ...parts.slice(1)]))],
  ['a handle of another topic', 'BAD_REQUEST', recall(retold(([v = '', , ...rest]) => [v, 'other', ...rest]))],
  [
    'a message that was due',
    'ILLEGAL_DELIVERY_TIME',
    async (world) => {
      const { client, topic, recallHandle } = await delayedSent(world, 2 * SECOND_MS);
      await world.backend.advanceDuringWork(2 * SECOND_MS + SERVER_SLACK_MS);
      return codeOf(client, 'recallMessage', { topic, recallHandle });
    },
  ],
  [
    'a topic that is not for delayed messages',
    'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
    async (world) => {
      const { client, recallHandle } = await delayedSent(world, HOUR_MS);
      return codeOf(client, 'recallMessage', { topic: resource(await world.topic()), recallHandle });
    },
  ],
  [
    'an illegal topic',
    'ILLEGAL_TOPIC',
    (world) => codeOf(world.rawClient(), 'recallMessage', { topic: resource('a b') }),
  ],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOf(world.rawClient(''), 'recallMessage', {})],
]);

const PRODUCER = { clientType: ClientType.PRODUCER };
const SIMPLE = { clientType: ClientType.SIMPLE_CONSUMER };

catalogue('Heartbeat', [
  ['a client without settings', 'UNRECOGNIZED_CLIENT_TYPE', (w) => codeOf(w.rawClient(), 'heartbeat', PRODUCER)],
  [
    'a producer',
    'OK',
    async (world) => {
      const client = world.rawClient();
      await client.settle(producerSettings());
      return codeOf(client, 'heartbeat', PRODUCER);
    },
  ],
  [
    'a consumer without group',
    'ILLEGAL_CONSUMER_GROUP',
    async (w) => codeOf((await consuming(w)).client, 'heartbeat', SIMPLE),
  ],
  [
    'a consumer of a group that does not exist',
    'ILLEGAL_CONSUMER_GROUP',
    async (w) => codeOf((await consuming(w)).client, 'heartbeat', { ...SIMPLE, group: resource(w.name()) }),
  ],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOf(world.rawClient(''), 'heartbeat', PRODUCER)],
]);

catalogue('NotifyClientTermination', [
  [
    'a client without settings',
    'UNRECOGNIZED_CLIENT_TYPE',
    (w) => codeOf(w.rawClient(), 'notifyClientTermination', {}),
  ],
  [
    'a consumer, and a heartbeat after it',
    'OK, UNRECOGNIZED_CLIENT_TYPE',
    async (world) => {
      const { client, names } = await consuming(world);
      const first = await codeOf(client, 'notifyClientTermination', { group: names.group });
      return `${first}, ${await codeOf(client, 'heartbeat', { ...SIMPLE, group: names.group })}`;
    },
  ],
  [
    'a consumer without group, and a heartbeat after it',
    'ILLEGAL_CONSUMER_GROUP, UNRECOGNIZED_CLIENT_TYPE',
    async (world) => {
      const { client, names } = await consuming(world);
      const first = await codeOf(client, 'notifyClientTermination', {});
      return `${first}, ${await codeOf(client, 'heartbeat', { ...SIMPLE, group: names.group })}`;
    },
  ],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOf(world.rawClient(''), 'notifyClientTermination', {})],
]);

const settings =
  (of: (group: string) => Parameters<typeof codeOfSettings>[1], metadata?: Record<string, string>) =>
  async (world: World): Promise<string> =>
    codeOfSettings(world.rawClient(world.name(), metadata), of(await world.group()));
const ofType = (clientType: ClientType) => settings((group) => consumerSettings(group, clientType));

catalogue('Telemetry', [
  ['a producer without topics', 'OK', settings(() => producerSettings())],
  ['a producer of a topic that does not exist', 'OK', settings(() => producerSettings('unknown'))],
  ['a simple consumer', 'OK', ofType(ClientType.SIMPLE_CONSUMER)],
  ['a push consumer', 'OK', ofType(ClientType.PUSH_CONSUMER)],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOfSettings(world.rawClient(''), producerSettings())],
  [
    'a language that nobody knows',
    'gRPC 13',
    settings((group) => consumerSettings(group), { 'x-mq-language': 'GOLANG' }),
  ],
  [
    'a producer in a language that nobody knows',
    'gRPC 13',
    settings(() => producerSettings('t'), { 'x-mq-language': 'X' }),
  ],
  ['no language', 'gRPC 13', settings((group) => consumerSettings(group), { 'x-mq-language': '' })],
  ['a pull consumer', 'gRPC 13', ofType(ClientType.PULL_CONSUMER)],
  ['a simple consumer of lite topics', 'gRPC 13', ofType(ClientType.LITE_SIMPLE_CONSUMER)],
  ['a push consumer of lite topics in an ordinary group', 'gRPC 3', ofType(ClientType.LITE_PUSH_CONSUMER)],
  ['no type of client', 'gRPC 13', ofType(ClientType.CLIENT_TYPE_UNSPECIFIED)],
  ['a subscription of a producer', 'gRPC 13', ofType(ClientType.PRODUCER)],
  ['neither publishing nor subscription', 'gRPC 3', settings(() => ({ ...PRODUCER, clientProperties: {} }))],
  ['an illegal topic', 'gRPC 3', settings(() => producerSettings('a b'))],
  ['a system topic', 'gRPC 3', settings(() => producerSettings('TBW102'))],
  ['an illegal group', 'gRPC 3', settings(() => consumerSettings('a b'))],
  ['a system group', 'gRPC 3', settings(() => consumerSettings('CID_RMQ_SYS_x'))],
  ['a group that does not exist', 'gRPC 3', (world) => settings(() => consumerSettings(world.name()))(world)],
]);

type Unimplemented = 'pullMessage' | 'updateOffset' | 'getOffset' | 'queryOffset' | 'syncLiteSubscription';
/** A stream is refused as a call is. */
const unimplemented = (rpc: Unimplemented): Row => [
  rpc,
  'gRPC 12',
  (world) => codeOf(world.rawClient(), rpc as Exclude<Unimplemented, 'pullMessage'>, {}),
];

catalogue('what is not implemented', [
  unimplemented('pullMessage'),
  unimplemented('updateOffset'),
  unimplemented('getOffset'),
  unimplemented('queryOffset'),
  unimplemented('syncLiteSubscription'),
]);
