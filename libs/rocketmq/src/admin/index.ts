// What `nestjs-rocketmq/admin` exports.

export type { BackoffPolicy, CustomizedBackoff, ExponentialBackoff } from '../support/backoff.js';
export type { CallOptions } from '../support/deadline.js';
export { RocketMQError, StateError, TransportError, UsageError } from '../support/errors.js';
export type { BrokerClock, BrokerClocks } from './broker-clocks.js';
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
export type { GroupDefinition, GroupDelivery, GroupDescription, GroupOnBroker } from './groups.js';
export type { GroupLag, LagOptions, QueueLag, TopicLag } from './lag.js';
export type { FoundMessages, MessageQuery } from './message-lookup.js';
export type {
  GivenUpHalfMessage,
  GivenUpPage,
  MessagePage,
  MessagePageOptions,
  ResumableHalfMessage,
} from './message-pages.js';
export type { StoredMessageView } from './message-view.js';
export { PartlyDoneError, RemotingError } from './remoting-error.js';
export type { QueueOffset, RewindRequest, RewindTarget } from './rewind.js';
export type { PlannedMove } from './rewind-plan.js';
export { RocketMQAdmin, type RocketMQAdminOptions } from './rocketmq-admin.js';
export type { TopicKind } from './system-names.js';
export type { DeletedTopic, ListedTopic, ListTopicsOptions, TopicList } from './topic-admin.js';
export type { QueueOffsets, TopicOffsets } from './topic-offsets.js';
export type { CreateOptions, TopicDefinition, TopicDescription, TopicOnBroker, TopicType } from './topics.js';
