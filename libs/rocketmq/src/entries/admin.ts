// What `nestjs-rocketmq/admin` exports.

export { AlreadyExistsError, PartlyDoneError } from '../admin/admin-errors.js';
export type { BrokerClock, BrokerClocks } from '../admin/broker-clocks.js';
export type { BrokerVersion, BrokerVersions, ServerVersion } from '../admin/broker-versions.js';
export { NotReplayableError, REPLAY_PROPERTY } from '../admin/dead-letters/dead-letter-destination.js';
export type { PlannedReplay, ReplayPlan } from '../admin/dead-letters/dead-letter-plan.js';
export {
  type ReplayedDeadLetter,
  ReplayInterruptedError,
  type ReplayOptions,
  type ReplayResult,
} from '../admin/dead-letters/dead-letter-replay.js';
export type {
  DeadLetterPage,
  DeadLetterPageOptions,
  DeadLetterQueueList,
  DeadLetterView,
  SelectOptions,
} from '../admin/dead-letters/dead-letters.js';
export type { ExportedDeadLetter, ExportOptions, ExportPage } from '../admin/dead-letters/exported-dead-letters.js';
export type { BrokerFailure } from '../admin/each-broker.js';
export type {
  DeletedGroup,
  DeleteGroupOptions,
  GroupList,
  ListGroupsOptions,
} from '../admin/groups/group-admin.js';
export type {
  ClientSubscription,
  GroupClient,
  GroupClients,
  GroupClientsOptions,
  SubscriptionDifference,
} from '../admin/groups/group-clients.js';
export type { PauseRequest } from '../admin/groups/group-pauses.js';
export type { GroupDescription, GroupOnBroker, NewGroup } from '../admin/groups/groups.js';
export type { GroupLag, LagOptions, TopicLag } from '../admin/groups/lag.js';
export type { QueueOffset } from '../admin/groups/rewind.js';
export type { PlannedMove } from '../admin/groups/rewind-plan.js';
export type { RewindRequest, RewindTarget } from '../admin/groups/rewind-target.js';
export type {
  DelayedMessage,
  DelayedMessagePage,
  DelayedMessagesOptions,
  RecallableMessage,
} from '../admin/messages/delayed-messages.js';
export {
  type FailureList,
  type FailuresOfError,
  failuresByError,
  type ListFailuresOptions,
} from '../admin/messages/kept-failures.js';
export type { LagHistory, LagHistoryOptions } from '../admin/messages/kept-lag.js';
export type { FoundMessages, MessageQuery } from '../admin/messages/message-lookup.js';
export type {
  GivenUpHalfMessage,
  GivenUpPage,
  MessagePage,
  ResumableHalfMessage,
} from '../admin/messages/message-pages.js';
export type {
  GroupTrail,
  MessageTrail,
  TrailCopy,
  TrailGap,
  TrailQuery,
  TrailRetry,
} from '../admin/messages/message-trail.js';
export type { StoredMessageView } from '../admin/messages/message-view.js';
export { originTopicOf } from '../admin/messages/origin-topic.js';
export { positionOf } from '../admin/messages/positions.js';
export type { TailedMessages, TailOptions } from '../admin/messages/tail.js';
export type { BrowseOptions, MessagePageOptions } from '../admin/messages/topic-page.js';
export { RocketMQAdmin, type RocketMQAdminOptions } from '../admin/rocketmq-admin.js';
export type { TopicKind } from '../admin/system-names.js';
export type { QueueLag } from '../admin/topics/group-positions.js';
export type { DeletedTopic, ListedTopic, ListTopicsOptions, TopicList } from '../admin/topics/topic-admin.js';
export type { TopicGroups } from '../admin/topics/topic-groups.js';
export type { OrderConfiguration, TopicLayout } from '../admin/topics/topic-layouts.js';
export type { QueueOffsets, TopicOffsets } from '../admin/topics/topic-offsets.js';
export type { CreateOptions, NewTopic, TopicDescription, TopicOnBroker } from '../admin/topics/topics.js';
export type { FailureRecord } from '../protocol/model/failure-record.js';
export type { GroupPause } from '../protocol/model/group-pause.js';
export type { LagSample, TopicLagSample } from '../protocol/model/lag-record.js';
export type { LiteGroup } from '../protocol/model/lite-group.js';
export type { TopicType } from '../protocol/model/message.js';
export type { MasterBroker } from '../remoting/cluster.js';
export type { GroupDelivery } from '../remoting/group-config.js';
export { RemotingError } from '../remoting/remoting-error.js';
export type { BackoffPolicy, CustomizedBackoff, ExponentialBackoff } from '../support/backoff.js';
export type { CallOptions } from '../support/deadline.js';
export { RocketMQError, StateError, TransportError, UsageError } from '../support/errors.js';
