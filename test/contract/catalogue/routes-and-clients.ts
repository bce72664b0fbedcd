// The answers to routes, settings, heartbeats, terminations and unknown RPCs.

import { ClientType } from '../../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { type RpcName, type RpcRequest, rpcMethod } from '../../../libs/rocketmq/src/protocol/grpc/rpc.js';
import { consumerSettings, producerSettings, resource } from '../../../tools/wire/raw-grpc-client.js';
import { codeOf, codeOfSettings, consuming } from '../support/question.js';
import type { World } from '../support/world.js';
import { type Catalogue, type Row, WORDS } from './rows.js';

const SYSTEM_TOPICS = (
  'TBW102 SCHEDULE_TOPIC_XXXX BenchmarkTest RMQ_SYS_TRANS_HALF_TOPIC RMQ_SYS_TRACE_TOPIC RMQ_SYS_TRANS_OP_HALF_TOPIC ' +
  'TRANS_CHECK_MAX_TIME_TOPIC SELF_TEST_TOPIC OFFSET_MOVED_EVENT CHECKPOINT_TOPIC RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC ' +
  'RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC rmq_sys_anything'
).split(' ');

const route = (name: string) => (world: World) => codeOf(world.rawClient(), 'queryRoute', { topic: resource(name) });

const QUERY_ROUTE_ROWS: readonly Row[] = [
  ['a topic that does not exist', 'TOPIC_NOT_FOUND', (world) => route(world.name())(world), WORDS.noTopic],
  ['a topic without a name', 'ILLEGAL_TOPIC', route(''), WORDS.blankTopic],
  ['a blank topic', 'ILLEGAL_TOPIC', route(' '), WORDS.blankTopic],
  ['a topic with a blank', 'ILLEGAL_TOPIC', route('a b'), WORDS.illegalTopic],
  [
    'a topic with a letter that is not ASCII',
    'ILLEGAL_TOPIC',
    route('größe'),
    'The specified topic[größe] contains illegal characters',
  ],
  ['a topic with % and |', 'TOPIC_NOT_FOUND', route('a%b|c-_9'), `${WORDS.noTopic}a%b|c-_9`],
  ['a topic of 127 characters', 'TOPIC_NOT_FOUND', route('x'.repeat(127))],
  ['a topic of 128 characters', 'ILLEGAL_TOPIC', route('x'.repeat(128)), WORDS.longTopic],
  ...SYSTEM_TOPICS.map((name): Row => [`the system topic ${name}`, 'ILLEGAL_TOPIC', route(name), WORDS.systemTopic]),
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOf(world.rawClient(''), 'queryRoute', {}), WORDS.noClientId],
];

const assign = (group: string) => async (world: World) =>
  codeOf(world.rawClient(), 'queryAssignment', {
    topic: resource(await world.topic()),
    group: resource(group),
  });

const QUERY_ASSIGNMENT_ROWS: readonly Row[] = [
  [
    'a topic that does not exist',
    'TOPIC_NOT_FOUND',
    async (world) =>
      codeOf(world.rawClient(), 'queryAssignment', {
        topic: resource(world.name()),
        group: resource(await world.group()),
      }),
    WORDS.noTopic,
  ],
  ['a group that does not exist', 'OK', (world) => assign(world.name())(world)],
  ['no group', 'ILLEGAL_CONSUMER_GROUP', assign(''), WORDS.blankGroup],
  ['a group with a blank', 'ILLEGAL_CONSUMER_GROUP', assign('a b'), WORDS.illegalGroup],
  ['a group of 120 characters', 'OK', assign('g'.repeat(120))],
  [
    'a group of 121 characters',
    'ILLEGAL_CONSUMER_GROUP',
    assign('g'.repeat(121)),
    `the specified group[${'g'.repeat(121)}] is longer than group max length: 120.`,
  ],
  ['a system group', 'ILLEGAL_CONSUMER_GROUP', assign('CID_RMQ_SYS_any'), WORDS.systemGroup],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOf(world.rawClient(''), 'queryAssignment', {})],
];

/** The prefix of the errors of a telemetry stream. */
const FAILED = 'process client telemetryCommand failed. ';
const LANGUAGE = `${FAILED}No enum constant org.apache.rocketmq.remoting.protocol.LanguageCode.`;
const NO_CONSUMER = `${FAILED}Client type is not consumer, type: `;
const PRODUCER = { clientType: ClientType.PRODUCER };
const SIMPLE = { clientType: ClientType.SIMPLE_CONSUMER };

const HEARTBEAT_ROWS: readonly Row[] = [
  [
    'a client without settings',
    'UNRECOGNIZED_CLIENT_TYPE',
    (w) => codeOf(w.rawClient(), 'heartbeat', PRODUCER),
    WORDS.noSettings,
  ],
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
    WORDS.blankGroup,
  ],
  [
    'a consumer of a group that does not exist',
    'ILLEGAL_CONSUMER_GROUP',
    async (w) => codeOf((await consuming(w)).client, 'heartbeat', { ...SIMPLE, group: resource(w.name()) }),
    WORDS.noGroup,
  ],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOf(world.rawClient(''), 'heartbeat', PRODUCER)],
];

const NOTIFY_CLIENT_TERMINATION_ROWS: readonly Row[] = [
  [
    'a client without settings',
    'UNRECOGNIZED_CLIENT_TYPE',
    (w) => codeOf(w.rawClient(), 'notifyClientTermination', {}),
    WORDS.noSettings,
  ],
  [
    'a consumer, and a heartbeat after it',
    'OK, UNRECOGNIZED_CLIENT_TYPE',
    async (world) => {
      const { client, names } = await consuming(world);
      const first = await codeOf(client, 'notifyClientTermination', { group: names.group });
      return `${first}, ${await codeOf(client, 'heartbeat', { ...SIMPLE, group: names.group })}`;
    },
    WORDS.noSettings,
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
];

const settings =
  (of: (group: string) => Parameters<typeof codeOfSettings>[1], metadata?: Record<string, string>) =>
  async (world: World): Promise<string> =>
    codeOfSettings(world.rawClient(world.name(), metadata), of(await world.group()));
const ofType = (clientType: ClientType) => settings((group) => consumerSettings(group, clientType));

const TELEMETRY_ROWS: readonly Row[] = [
  ['a producer without topics', 'OK', settings(() => producerSettings())],
  ['a producer of a topic that does not exist', 'OK', settings(() => producerSettings('unknown'))],
  ['a simple consumer', 'OK', ofType(ClientType.SIMPLE_CONSUMER)],
  ['a push consumer', 'OK', ofType(ClientType.PUSH_CONSUMER)],
  [
    'no client id',
    'CLIENT_ID_REQUIRED',
    (world) => codeOfSettings(world.rawClient(''), producerSettings()),
    WORDS.noClientId,
  ],
  [
    'a language that nobody knows',
    'gRPC 13',
    settings((group) => consumerSettings(group), { 'x-mq-language': 'GOLANG' }),
    `${LANGUAGE}GOLANG`,
  ],
  [
    'a producer in a language that nobody knows',
    'gRPC 13',
    settings(() => producerSettings('t'), { 'x-mq-language': 'X' }),
    `${LANGUAGE}X`,
  ],
  ['no language', 'gRPC 13', settings((group) => consumerSettings(group), { 'x-mq-language': '' }), LANGUAGE],
  ['a pull consumer', 'gRPC 13', ofType(ClientType.PULL_CONSUMER), `${NO_CONSUMER}PULL_CONSUMER`],
  ['a simple consumer of lite topics', 'gRPC 13', ofType(ClientType.LITE_SIMPLE_CONSUMER), NO_CONSUMER],
  [
    'a push consumer of lite topics in an ordinary group',
    'gRPC 3',
    ofType(ClientType.LITE_PUSH_CONSUMER),
    `${FAILED}regular group cannot use LITE mode: `,
  ],
  ['no type of client', 'gRPC 13', ofType(ClientType.CLIENT_TYPE_UNSPECIFIED), `${NO_CONSUMER}CLIENT_TYPE_UNSPECIFIED`],
  ['a subscription of a producer', 'gRPC 13', ofType(ClientType.PRODUCER), `${NO_CONSUMER}PRODUCER`],
  [
    'neither publishing nor subscription',
    'gRPC 3',
    settings(() => ({ ...PRODUCER, clientProperties: {} })),
    'there is no publishing or subscription data in settings',
  ],
  ['an illegal topic', 'gRPC 3', settings(() => producerSettings('a b')), `${FAILED}${WORDS.illegalTopic}`],
  ['a system topic', 'gRPC 3', settings(() => producerSettings('TBW102')), `${FAILED}${WORDS.systemTopic}`],
  ['an illegal group', 'gRPC 3', settings(() => consumerSettings('a b')), `${FAILED}${WORDS.illegalGroup}`],
  ['a system group', 'gRPC 3', settings(() => consumerSettings('CID_RMQ_SYS_x')), `${FAILED}${WORDS.systemGroup}`],
  [
    'a group that does not exist',
    'gRPC 3',
    (world) => settings(() => consumerSettings(world.name()))(world),
    `${FAILED}${WORDS.noGroup}`,
  ],
];

/** PullMessage returns a stream, which makes no difference for a server that does not implement it. */
const unimplemented = (rpc: RpcName, ...words: readonly string[]): Row => [
  rpc,
  'gRPC 12',
  (world) => codeOf(world.rawClient(), rpc as 'getOffset', {}),
  ...words,
];
const declared = (rpc: RpcName): Row => unimplemented(rpc, `Method ${rpcMethod(rpc).path.slice(1)} is unimplemented`);

const WHAT_IS_NOT_IMPLEMENTED_ROWS: readonly Row[] = [
  declared('pullMessage'),
  declared('updateOffset'),
  declared('getOffset'),
  declared('queryOffset'),
];

/** What a server in local mode answers, too. The others are in lite.spec.ts. */
const syncing =
  (request: (group: string, topic: string) => Partial<RpcRequest<'syncLiteSubscription'>>) =>
  async (world: World): Promise<string> => {
    const [group, topic] = [await world.group(), await world.topic()];
    return codeOf(world.rawClient(), 'syncLiteSubscription', {
      topic: resource(topic),
      group: resource(group),
      liteTopicSet: ['a'],
      ...request(group, topic),
    });
  };

const SYNC_LITE_SUBSCRIPTION_ROWS: readonly Row[] = [
  ['no topic to subscribe in', 'ILLEGAL_TOPIC', syncing(() => ({ topic: resource('') })), WORDS.blankTopic],
  [
    'an illegal group to subscribe',
    'ILLEGAL_CONSUMER_GROUP',
    syncing(() => ({ group: resource('a b') })),
    WORDS.illegalGroup,
  ],
  [
    'a group to subscribe that does not exist',
    'ILLEGAL_CONSUMER_GROUP',
    syncing((group) => ({ group: resource(`${group}-x`) })),
    WORDS.noGroup,
  ],
  ['an ordinary group to subscribe', 'ILLEGAL_TOPIC', syncing(() => ({})), 'lite group '],
  [
    'an illegal lite topic to subscribe to',
    'ILLEGAL_LITE_TOPIC',
    syncing(() => ({ liteTopicSet: ['a b'] })),
    'lite topic can only contain',
  ],
];

export const ROUTES_AND_CLIENTS: Catalogue = {
  QueryRoute: QUERY_ROUTE_ROWS,
  QueryAssignment: QUERY_ASSIGNMENT_ROWS,
  Heartbeat: HEARTBEAT_ROWS,
  NotifyClientTermination: NOTIFY_CLIENT_TERMINATION_ROWS,
  Telemetry: TELEMETRY_ROWS,
  SyncLiteSubscription: SYNC_LITE_SUBSCRIPTION_ROWS,
  'what is not implemented': WHAT_IS_NOT_IMPLEMENTED_ROWS,
};
