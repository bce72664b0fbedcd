// What `nestjs-rocketmq/admin` exports.

export type { BackoffPolicy, CustomizedBackoff, ExponentialBackoff } from '../support/backoff.js';
export type { CallOptions } from '../support/deadline.js';
export { RocketMQError, StateError, TransportError, UsageError } from '../support/errors.js';
export type { BrokerVersion, BrokerVersions, ServerVersion } from './broker-versions.js';
export type { MasterBroker } from './cluster.js';
export {
  NotReplayableError,
  REPLAY_PROPERTY,
  type ReplayedDeadLetter,
  ReplayInterruptedError,
  type ReplayOptions,
  type ReplayResult,
} from './dead-letter-replay.js';
export type { DeadLetter, DeadLetterPage, DeadLetterPageOptions } from './dead-letters.js';
export type { BrokerFailure } from './each-broker.js';
export type { DeletedGroup, DeleteGroupOptions, GroupList, ListGroupsOptions } from './group-admin.js';
export type {
  ClientSubscription,
  GroupClient,
  GroupClients,
  GroupClientsOptions,
  SubscriptionDifference,
} from './group-clients.js';
export type { GroupDefinition, GroupDescription } from './groups.js';
export type { GroupLag, LagOptions, QueueLag, TopicLag } from './lag.js';
export type { FoundMessages, MessageQuery } from './message-lookup.js';
export type { StoredMessageView } from './message-view.js';
export { PartlyDoneError, RemotingError } from './remoting-error.js';
export type { QueueOffset, RewindRequest, RewindTarget } from './rewind.js';
export { RocketMQAdmin, type RocketMQAdminOptions } from './rocketmq-admin.js';
export type { TopicKind } from './system-names.js';
export type { DeletedTopic, ListedTopic, ListTopicsOptions, TopicList } from './topic-admin.js';
export type { TopicDefinition, TopicDescription, TopicOnBroker, TopicType } from './topics.js';
