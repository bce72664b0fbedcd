// The answers to ReceiveMessage and to the settlement of its messages.

import { HOUR_MS, MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq/client';
import { toDuration } from '../../../libs/rocketmq/src/protocol/grpc/duration.js';
import { FilterType } from '../../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { consumerSettings, receiveRequest, resource } from '../../../tools/wire/raw-grpc-client.js';
import { SERVER_SLACK_MS } from '../support/backend.js';
import { codeOf, codeOfReceive, codeOfSend, consuming, holding } from '../support/question.js';
import type { World } from '../support/world.js';
import { type Catalogue, type Row, WORDS } from './rows.js';

type ReceiveFields = Parameters<typeof codeOfReceive>[1];
/** Receives for a group with one available message, so that the answer is immediate. */
const receive =
  (fields: ReceiveFields, options: { deadlineMs?: number | null } = {}) =>
  async (world: World) => {
    const { client, topic, group } = await consuming(world);
    await codeOfSend(world, topic);
    return codeOfReceive(client, { ...receiveRequest(topic, group), ...POLL, ...fields }, options);
  };
/** The shortest poll that the server accepts. */
const POLL = { longPollingTimeout: toDuration(5 * SECOND_MS) };
const queueOf = (topic: string) => ({ ...receiveRequest(topic, 'any').messageQueue }) as ReceiveFields['messageQueue'];
const lease = (durationMs: number) => ({ invisibleDuration: toDuration(durationMs) });
const filter = (type: FilterType, expression: string) => ({ filterExpression: { type, expression } });

const RECEIVE_MESSAGE_ROWS: readonly Row[] = [
  ['a message', 'OK', receive({})],
  [
    'nothing to receive',
    'MESSAGE_NOT_FOUND',
    async (world) => {
      const { client, topic, group } = await consuming(world);
      return codeOfReceive(client, { ...receiveRequest(topic, group), ...POLL });
    },
    'no new message',
  ],
  ['nothing that the filter wants', 'MESSAGE_NOT_FOUND', receive(filter(FilterType.TAG, 'other'))],
  ['a batch of no message', 'MESSAGE_NOT_FOUND', receive({ batchSize: 0 })],
  ['a batch of 100 messages', 'OK', receive({ batchSize: 100 })],
  ['an illegal topic', 'ILLEGAL_TOPIC', receive({ messageQueue: queueOf('a b') }), WORDS.illegalTopic],
  ['an illegal group', 'ILLEGAL_CONSUMER_GROUP', receive({ group: resource('a b') }), WORDS.illegalGroup],
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
  [
    'a deadline of under 5 s',
    'ILLEGAL_POLLING_TIME',
    receive({}, { deadlineMs: 4_000 }),
    'The deadline time remaining is not enough for polling, please check network condition',
  ],
  [
    'a deadline of under 5 s, from a client before 5.0.3',
    'BAD_REQUEST',
    async (world) => {
      const { topic, group } = await consuming(world);
      const client = world.rawClient(world.name(), { 'x-mq-client-version': '5.0.2' });
      await client.settle(consumerSettings(group));
      return codeOfReceive(client, receiveRequest(topic, group), { deadlineMs: 4_000 });
    },
    'The deadline time remaining is not enough for polling, please check network condition',
  ],
  ['no lease', 'ILLEGAL_INVISIBLE_TIME', receive({ invisibleDuration: undefined }), `${WORDS.shortLease}10000`],
  ['a lease of under 10 s', 'ILLEGAL_INVISIBLE_TIME', receive(lease(10 * SECOND_MS - 1)), `${WORDS.shortLease}10000`],
  ['a lease of 12 h', 'OK', receive(lease(12 * HOUR_MS))],
  ['a lease of over 12 h', 'ILLEGAL_INVISIBLE_TIME', receive(lease(12 * HOUR_MS + 1)), WORDS.longLease],
  ['no lease of its own', 'OK', receive({ autoRenew: true, invisibleDuration: undefined })],
  ['empty SQL', 'ILLEGAL_FILTER_EXPRESSION', receive(filter(FilterType.SQL, '')), "Expression can't be null! SQL92"],
  ['bad SQL', 'ILLEGAL_FILTER_EXPRESSION', receive(filter(FilterType.SQL, 'a = = 1'))],
  ['an empty tag filter', 'OK', receive(filter(FilterType.TAG, ''))],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOfReceive(world.rawClient(''), {}), WORDS.noClientId],
];

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

const ACK_MESSAGE_ROWS: readonly Row[] = [
  ['a handle in force', 'OK', ack(holding), 'OK', 'OK'],
  ['a handle that was acknowledged', 'OK', ack(acked), 'OK', 'OK'],
  ['a handle that a newer one replaced', 'INVALID_RECEIPT_HANDLE', ack(changed)],
  ['a handle whose lease ended', 'INVALID_RECEIPT_HANDLE', ack(lapsed), 'INVALID_RECEIPT_HANDLE', WORDS.deadHandle],
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
    'MULTIPLE_RESULTS',
    'OK',
  ],
  [
    'no handle',
    'BAD_REQUEST',
    async (world) => {
      const { client, names } = await consuming(world);
      return codeOf(client, 'ackMessage', { ...names, entries: [] });
    },
  ],
  [
    'no client id',
    'CLIENT_ID_REQUIRED',
    (world) => codeOf(world.rawClient(''), 'ackMessage', { entries: [] }),
    WORDS.noClientId,
  ],
];

const change =
  (prepare: typeof holding, durationMs: number, replacement?: string) =>
  async (world: World): Promise<string> => {
    const { client, names, messageId, receiptHandle } = await prepare(world);
    const request = { ...names, messageId, receiptHandle: replacement ?? receiptHandle };
    return codeOf(client, 'changeInvisibleDuration', { ...request, invisibleDuration: toDuration(durationMs) });
  };

const CHANGE_INVISIBLE_DURATION_ROWS: readonly Row[] = [
  ['nothing to wait for', 'OK', change(holding, 0)],
  ['12 h', 'OK', change(holding, 12 * HOUR_MS)],
  ['less than nothing', 'ILLEGAL_INVISIBLE_TIME', change(holding, -SECOND_MS), `${WORDS.shortLease}0`],
  ['over 12 h', 'ILLEGAL_INVISIBLE_TIME', change(holding, 12 * HOUR_MS + 1), WORDS.longLease],
  ['a handle whose lease ended', 'INVALID_RECEIPT_HANDLE', change(lapsed, MINUTE_MS), WORDS.deadHandle],
  ['a handle that was acknowledged', 'INVALID_RECEIPT_HANDLE', change(acked, MINUTE_MS)],
  ['a handle that a newer one replaced', 'INVALID_RECEIPT_HANDLE', change(changed, MINUTE_MS)],
  ['a text that is no handle', 'INVALID_RECEIPT_HANDLE', change(holding, MINUTE_MS, GARBAGE)],
  [
    'no client id',
    'CLIENT_ID_REQUIRED',
    (world) => codeOf(world.rawClient(''), 'changeInvisibleDuration', {}),
    WORDS.noClientId,
  ],
];

const forward =
  (prepare: typeof holding, replacement?: string) =>
  async (world: World): Promise<string> => {
    const { client, names, messageId, receiptHandle } = await prepare(world);
    const request = { ...names, messageId, deliveryAttempt: 1, maxDeliveryAttempts: 1 };
    const handle = { receiptHandle: replacement ?? receiptHandle };
    return codeOf(client, 'forwardMessageToDeadLetterQueue', { ...request, ...handle });
  };

const FORWARD_MESSAGE_TO_DEAD_LETTER_QUEUE_ROWS: readonly Row[] = [
  ['a handle in force', 'OK', forward(holding)],
  ['a handle whose lease ended', 'OK', forward(lapsed)],
  ['a text that is no handle', 'INVALID_RECEIPT_HANDLE', forward(holding, GARBAGE)],
  [
    'no client id',
    'CLIENT_ID_REQUIRED',
    (w) => codeOf(w.rawClient(''), 'forwardMessageToDeadLetterQueue', {}),
    WORDS.noClientId,
  ],
];

export const RECEIVING: Catalogue = {
  ReceiveMessage: RECEIVE_MESSAGE_ROWS,
  AckMessage: ACK_MESSAGE_ROWS,
  ChangeInvisibleDuration: CHANGE_INVISIBLE_DURATION_ROWS,
  ForwardMessageToDeadLetterQueue: FORWARD_MESSAGE_TO_DEAD_LETTER_QUEUE_ROWS,
};
