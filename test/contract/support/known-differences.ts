// Where a backend violates the contract, why, and how this is known. The list is checked by contract.ts.

import type { KnownDifference } from './known-difference.js';
import { DIFFERENCES_OF_4X } from './known-differences-4x.js';
import { DIFFERENCES_OF_OLDER_SERVERS } from './known-differences-older.js';

/** Requests that the real server answers differently, for one common reason. */
function otherAnswer(answer: string, reason: string, titles: readonly string[]): KnownDifference[] {
  return titles.map((title) => ({ title, backend: 'rocketmq', answer, reason, source: 'seen on 5.5.0 by this case' }));
}

/** Cases that need `suspend` in a change of a lease. @param then what happens without it */
function withoutSuspend(then: string, titles: readonly string[]): KnownDifference[] {
  const reason = `lite topics and \`suspend\` came with 5.5.0; ${then}`;
  const source = 'seen on 5.0.0, 5.1.4, 5.3.3 and 5.4.0 by this case';
  return titles.map((title) => ({ title, backend: 'rocketmq', since: '5.0.0', before: '5.5.0', reason, source }));
}

/** Cases that recall a message. */
const WITHOUT_RECALL = [
  'a recalled message is not delivered',
  'to a recall is followed by a second one, and the message does not come',
  'has its delayed messages delivered, and can recall them',
  'is accepted when the option allows it',
].map((title): KnownDifference => {
  const source = 'there is no RecallMessageProcessor in 5.3.1; seen on 5.0.0 and 5.1.4 by this case';
  return { title, backend: 'rocketmq', before: '5.3.2', reason: 'recalling came with 5.3.2', source };
});

/** Cases of ordered groups on 5.0.0. */
const WITHOUT_ORDERED_CHANGES = [
  'a pause keeps the messages of an ordered group, for longer than a lease, and in order',
  'a message that becomes a dead letter counts towards the size of its poll',
  'a poll without room for all of a second queue forgets the acks of what is left in it',
  'a poll that takes less than was handed out forgets the attempts and the acks of the rest',
  'counts what waits to be handed out again once, when the group is ordered',
  'counts what was not settled yet, when the group is ordered',
  'of a message group come in the order of their queue',
  'what a poll brought to an ordered group is redelivered at once, in order, as the same attempt',
  'what was acknowledged behind an unsettled message of its poll is redelivered with it',
  'what was acknowledged behind an unsettled message of its poll shares the end of its attempts',
].map((title): KnownDifference => {
  const reason =
    'it ignores changes of the invisible time of ordered messages, which are rejected therefore, and attempt ids; and it forgets partial ' +
    'acknowledgements, so each poll brings one message';
  const source = 'ChangeInvisibleTimeProcessor and ConsumerOrderInfoManager of 5.0.0; seen by this case';
  return { title, backend: 'rocketmq', since: '5.0.0', before: '5.1.0', reason, source };
});

const SERVER_ERROR = 'INTERNAL_SERVER_ERROR';

/** Of clients without a proxy, whatever the broker. */
const WITHOUT_PROXY = [
  {
    title: 'a producer that lists a topic it may not send to',
    reason:
      'a broker registers a producer for the checks of any topic; it rejects the sends, and a proxy rejects the start',
    source: 'test/secured/access.spec.ts by remoting on 5.5.0; DefaultAuthorizationContextBuilder of the server',
  },
  {
    title: 'a consumer that the server has forgotten makes itself known again, and receives',
    reason:
      'the case ends a client at the proxy by its id; a broker knows a client by its connection, which only the client can end',
    source: 'ClientManageProcessor of the server; test/contract/connections.spec.ts by remoting on 5.5.0',
  },
  {
    title: 'a move to the dead letters is not repeated: there is one dead letter',
    reason:
      'the copy and the ack are two requests: when the answer to the copy is lost, the message is redelivered and copied a second time. A ' +
      'proxy has the same gap to its broker',
    source: 'test/contract/lost-answers-to-consumers.spec.ts by remoting on 5.5.0',
  },
].flatMap((difference): KnownDifference[] =>
  (['rocketmq', 'embedded'] as const).map((backend) => ({ ...difference, backend, transports: ['remoting'] })),
);

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  ...WITHOUT_PROXY,
  {
    title: 'a consumer group that does not exist is an error at start',
    backend: 'rocketmq',
    transports: ['remoting'],
    reason:
      'a broker creates a group when it is asked for it (autoCreateSubscriptionGroup), as it does for a proxy in cluster mode',
    source: 'test/contract/rejections.spec.ts by remoting on 5.5.0; SubscriptionGroupManager of the server',
  },
  {
    title: 'lose nothing when the server keeps a dead letter',
    backend: 'rocketmq',
    versions: ['5.5.0'],
    reason:
      'the copy for the dead letter queue is added to the lite topic, where it can never be acked, and the next message of it is lost ' +
      '(MultiDispatchUtils.isNeedHandleMultiDispatch does not exclude %DLQ%)',
    source: 'test/contract/lite.spec.ts on 5.5.0',
  },
  {
    title: 'a consumer group that does not exist is an error at start',
    backend: 'rocketmq',
    versions: ['5.3.3', '5.4.0'],
    reason: 'it accepts the settings of an unknown group and makes the group at its first receive',
    source: 'test/contract/rejections.spec.ts on 5.3.3 and 5.4.0',
  },
  {
    title: 'deliver messages with their type',
    backend: 'rocketmq',
    transports: ['http2', 'grpc-js'],
    before: '5.5.0',
    reason: '5.4.0 keeps their order and returns their priority, but delivers them as NORMAL; 5.3.3 has no such topics',
    source: 'test/contract/priority.spec.ts on 5.3.3 and 5.4.0',
  },
  {
    title: 'deliver messages with their type',
    backend: 'rocketmq',
    transports: ['remoting'],
    before: '5.4.0',
    reason: 'older brokers have no such topics',
    source: 'test/contract/priority.spec.ts on 5.3.3, 5.1.4 and 5.0.0',
  },
  {
    title: 'SQL that cannot be read or makes no sense is rejected',
    backend: 'rocketmq',
    answer: 'INTERNAL_SERVER_ERROR',
    reason:
      'the proxy knows only the broker\'s "parse the consumer\'s subscription failed"; ILLEGAL_FILTER_EXPRESSION says what it is',
    source: 'test/contract/sql-filter.spec.ts on 5.5.0',
  },
  {
    title: 'text after a complete SQL expression is rejected',
    backend: 'rocketmq',
    reason: 'its parser stops at the end of the first complete expression and ignores the rest, be it a typing mistake',
    source: 'SelectorParser.jj has no end of input; test/contract/sql-filter.spec.ts on 5.5.0',
  },
  {
    title: 'syncLiteSubscription: without a permission',
    backend: 'rocketmq',
    versions: ['5.5.0'],
    answer: 'ILLEGAL_CONSUMER_GROUP',
    reason:
      'it checks no permission for this request, so any user can change the lite topics of a client whose id it knows',
    source: 'test/secured/rejections.spec.ts on 5.5.0',
  },
  {
    title: 'a client is not ended by a user without permissions',
    backend: 'rocketmq',
    answer: 'ILLEGAL_CONSUMER_GROUP, then UNRECOGNIZED_CLIENT_TYPE',
    reason:
      'it forgets the settings of whatever client id a termination names, and looks at permissions only where it names a group',
    source: 'ClientActivity.notifyClientTermination; test/secured/rejections.spec.ts on 5.5.0',
  },
  {
    title: 'a client is not replaced by a user without permissions',
    backend: 'rocketmq',
    answer: 'OK, then OK',
    reason: 'settings replace those of the same client id, whoever signed them',
    source: 'ClientActivity.processClientSettings; test/secured/rejections.spec.ts on 5.5.0',
  },
  ...[
    'hand out what waits by priority, the highest first',
    'take any number from 0 on, and treat what is above the last queue like it',
    'take no message without a priority, and other topics none with one',
    'hold back the messages of queues that they lost, until they have them again',
    'share no request when they have priorities',
  ].map((title): KnownDifference => {
    const source = 'they reject message.type=PRIORITY; test/contract/priority.spec.ts on 5.3.3, 5.1.4 and 5.0.0';
    return { title, backend: 'rocketmq', before: '5.4.0', reason: 'priority topics came with 5.4.0', source };
  }),
  ...withoutSuspend('without it a pause keeps what it holds', [
    'a server that knows `suspend` can be recognized by its settings',
    'a paused consumer leaves the messages to others of its group, without an attempt',
  ]),
  ...withoutSuspend('each release counts', [
    'a message that is released counts as an attempt, unless it was suspended',
    'a handler says "not now", and the message keeps its number of attempts',
    'an application that receives messages itself postpones one without an attempt',
  ]),
  ...withoutSuspend('what a full listener of a shared topic cannot take is kept, and holds up the topic', [
    'do not wait for one that is full, and what it has to leave loses no attempt',
  ]),
  {
    title: 'report what they are doing: their running handlers, and no content of messages',
    backend: 'rocketmq',
    transports: ['http2', 'grpc-js'],
    reason:
      'a proxy in one process with its broker gets the request without its header and drops it; the broker answers 207 after 10 s',
    source: 'ProxyChannel.writeAndFlush, GrpcClientChannel.processGetConsumerRunningInfo; seen on 5.5.0 by this case',
  },
  {
    title: 'a negative priority is rejected',
    backend: 'rocketmq',
    versions: ['5.3.3'],
    answer: 'OK',
    reason: 'it does not know the field; priorities came with 5.4.0',
    source: 'test/contract/priority.spec.ts on 5.3.3',
  },
  {
    title: 'a negative priority is rejected',
    backend: 'rocketmq',
    versions: ['5.4.0', '5.5.0'],
    answer: 'INTERNAL_SERVER_ERROR',
    reason: 'its catch-all for a wrong argument; BAD_REQUEST says whose mistake it is',
    source: 'test/contract/priority.spec.ts on 5.4.0 and 5.5.0',
  },
  ...otherAnswer(SERVER_ERROR, 'an exception in the server; official clients would settle for ever on this code', [
    'AckMessage: a text that is no handle',
    'AckMessage: an empty handle',
    'AckMessage: a topic that does not exist',
    'ChangeInvisibleDuration: a text that is no handle',
    'ForwardMessageToDeadLetterQueue: a text that is no handle',
  ]),
  ...otherAnswer(SERVER_ERROR, 'an exception in the server, whose text is the only hint at the cause', [
    'SendMessage: two half messages',
    'SendMessage: bodies of over 4 MiB together',
    'ReceiveMessage: a client without settings',
    'ReceiveMessage: no deadline',
    'ReceiveMessage: bad SQL',
    'AckMessage: no handle',
    'RecallMessage: no handle',
    'RecallMessage: a text that is no handle',
    'RecallMessage: a handle of another version',
    'RecallMessage: a handle of another topic',
    'RecallMessage: a message that was due',
  ]),
  ...otherAnswer(SERVER_ERROR, 'proxy and broker in one process; a proxy of its own answers TOPIC_NOT_FOUND', [
    'SendMessage: a dead letter topic that does not exist',
    'ReceiveMessage: a topic that does not exist',
  ]),
  ...otherAnswer('OK', 'says OK and does nothing, or worse: a change after the ack brings the message back', [
    'AckMessage: a handle that a newer one replaced',
    'AckMessage: the group of someone else',
    'ChangeInvisibleDuration: a handle that was acknowledged',
    'ChangeInvisibleDuration: a handle that a newer one replaced',
  ]),
  ...otherAnswer('OK', 'looks at the first message only; the others then lie in a topic that is not for them', [
    'SendMessage: messages of two types',
  ]),
  ...otherAnswer('OK', 'makes the group at its first receive (autoCreateSubscriptionGroup); strict means declared', [
    'ReceiveMessage: a group that does not exist',
  ]),
  {
    title: 'that do not subscribe alike are named',
    backend: 'rocketmq',
    transports: ['http2', 'grpc-js'],
    reason:
      'it keeps subscriptions by group, not by consumer, and asking a gRPC consumer (307) ends after 10 s with code 207',
    source: 'test/contract/admin-clients.spec.ts on 5.5.0',
  },
  {
    title: 'have the time when they were due, to the second',
    backend: 'rocketmq',
    transports: ['http2', 'grpc-js'],
    reason:
      'the proxy adds TIMER_DELAY_SEC to the time of the delivery instead of that of the send, and gives no time for TIMER_DELAY_MS',
    source: 'GrpcConverter.buildSystemProperties of 5.5.0; test/contract/foreign-delays.spec.ts on 5.5.0',
  },
  ...WITHOUT_RECALL,
  ...WITHOUT_ORDERED_CHANGES,
  {
    title: 'is known of every topic to which a connected consumer subscribes, though it receives nothing',
    backend: 'rocketmq',
    before: '5.1.4',
    reason:
      'new groups start at the last message there, so the suite gives them a position before they start (World.begin)',
    source: 'test/contract/admin-lag.spec.ts on 5.0.0',
  },
  {
    title: 'counts what was not handed out yet, queue by queue',
    backend: 'rocketmq',
    versions: ['5.0.0'],
    reason:
      'it reports 0 as the pull offset of a group that pops; the lag, which is counted by the consumer offset, is right',
    source: 'test/contract/admin-lag.spec.ts on 5.0.0',
  },
  {
    title: 'is kept where administrators see it, with its topic, and is not delivered',
    backend: 'rocketmq',
    before: '5.1.0',
    reason:
      'the copy of a half message that is given up has all but the property __transactionId__, which equals the message ID',
    source: 'test/contract/given-up.spec.ts on 5.0.0 and 4.9.7',
  },
  {
    title: 'counts what waits to be handed out again',
    backend: 'rocketmq',
    before: '5.1.0',
    reason:
      'it leaves out topics to which connected consumers do not subscribe, and the one of the retries is such a topic',
    source: 'AdminBrokerProcessor.getConsumeStats of 5.0.0; test/contract/admin-lag.spec.ts on 5.0.0',
  },
  ...DIFFERENCES_OF_OLDER_SERVERS,
  ...DIFFERENCES_OF_4X,
];
