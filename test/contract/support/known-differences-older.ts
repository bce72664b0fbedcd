// How Apache RocketMQ 5.3.3 and 5.4.0 differ from 5.5.0; see known-differences.ts.

import type { KnownDifference } from './known-difference.js';

/** @param versions the versions on which it was observed */
function older(
  versions: readonly string[],
  answer: string | undefined,
  reason: string,
  titles: readonly string[],
): KnownDifference[] {
  const source = `seen on ${versions.join(' and ')} by this case`;
  return titles.map((title) => ({ title, backend: 'rocketmq', versions, answer, reason, source }));
}

const BOTH = ['5.3.3', '5.4.0'];
const OLDEST = ['5.3.3'];

/** The answers to properties with reserved names: those that it rejects, and those that it accepts. */
function reservedNames(rejected: readonly string[], taken: readonly string[]): string {
  return JSON.stringify([
    ['ILLEGAL_MESSAGE_PROPERTY_KEY', rejected],
    ['OK', taken],
  ]);
}

const RESERVED_ALWAYS =
  'TRACE_ON MSG_REGION KEYS TAGS WAIT DELAY RETRY_TOPIC REAL_TOPIC REAL_QID TRAN_MSG PGROUP MIN_OFFSET MAX_OFFSET BUYER_ID ORIGIN_MESSAGE_ID TRANSFER_FLAG CORRECTION_FLAG MQ2_FLAG RECONSUME_TIME UNIQ_KEY MAX_RECONSUME_TIMES CONSUME_START_TIME POP_CK POP_CK_OFFSET 1ST_POP_TIME TRAN_PREPARED_QUEUE_OFFSET DUP_INFO EXTEND_UNIQ_INFO INSTANCE_ID CORRELATION_ID REPLY_TO_CLIENT TTL ARRIVE_TIME PUSH_REPLY_TIME CLUSTER MSG_TYPE INNER_MULTI_QUEUE_OFFSET TIMER_DELAY_MS TIMER_DELAY_SEC TIMER_DELIVER_MS TIMER_ENQUEUE_MS TIMER_DEQUEUE_MS TIMER_ROLL_TIMES TIMER_OUT_MS TIMER_DEL_UNIQKEY TIMER_DELAY_LEVEL __BORNHOST BORN_TIMESTAMP DLQ_ORIGIN_TOPIC DLQ_ORIGIN_MESSAGE_ID __CRC32#'.split(
    ' ',
  );
/** 5.4.0 reserves two more, one of them in the middle of the list. */
const RESERVED_IN_5_4_0 = [
  ...RESERVED_ALWAYS.flatMap((name) => (name === 'RETRY_TOPIC' ? [name, 'ORIGIN_GROUP'] : [name])),
  '_SYS_MSG_PRIORITY_',
];

export const DIFFERENCES_OF_OLDER_SERVERS: readonly KnownDifference[] = [
  ...older(OLDEST, 'TOPIC_NOT_FOUND', 'this system topic came later', [
    'QueryRoute: the system topic RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC',
    'QueryRoute: the system topic RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC',
  ]),
  ...older(OLDEST, 'OK', 'group names may have 255 characters there', ['QueryAssignment: a group of 121 characters']),
  ...older(BOTH, 'OK', 'a group that does not exist is made at its first receive', [
    'Heartbeat: a consumer of a group that does not exist',
    'Telemetry: a group that does not exist',
  ]),
  ...older(BOTH, 'gRPC 13', 'it does not know this type of client', [
    'Telemetry: a push consumer of lite topics in an ordinary group',
  ]),
  ...older(BOTH, 'gRPC 12', 'it does not know lite topics', [
    'SyncLiteSubscription: no topic to subscribe in',
    'SyncLiteSubscription: an illegal group to subscribe',
    'SyncLiteSubscription: a group to subscribe that does not exist',
    'SyncLiteSubscription: an ordinary group to subscribe',
    'SyncLiteSubscription: an illegal lite topic to subscribe to',
    'syncLiteSubscription: without a permission',
    'syncLiteSubscription: without a signature',
  ]),
  ...older(BOTH, 'OK', 'it does not know the field', [
    'SendMessage: an illegal lite topic',
    'SendMessage: a lite topic of 65 bytes',
    'SendMessage: a lite topic to an ordinary topic',
  ]),
  ...older(OLDEST, 'OK', 'it does not know the field', ['SendMessage: a priority to an ordinary topic']),
  ...older(
    OLDEST,
    reservedNames(RESERVED_ALWAYS, ['ORIGIN_GROUP', '_SYS_MSG_PRIORITY_', '__LITE_TOPIC']),
    'three names were reserved later',
    ['SendMessage: a reserved name of a property'],
  ),
  ...older(['5.4.0'], reservedNames(RESERVED_IN_5_4_0, ['__LITE_TOPIC']), 'one name was reserved later', [
    'SendMessage: a reserved name of a property',
  ]),
  ...older(OLDEST, undefined, 'a lease that it should have renewed ended after a minute, in two runs of two', [
    'last as long as it lives when the server renews them, and the first handle stays good',
  ]),
];
