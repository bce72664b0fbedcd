// What `nestjs-rocketmq/admin` exports.

export { AlreadyExistsError, PartlyDoneError } from '../admin/admin-errors.js';
export type { BrokerClock, BrokerClocks } from '../admin/broker-clocks.js';
export type { BrokerVersion, BrokerVersions, ServerVersion } from '../admin/broker-versions.js';
export { NotReplayableError, REPLAY_PROPERTY } from '../admin/dead-letter-destination.js';
export type { PlannedReplay, ReplayPlan } from '../admin/dead-letter-plan.js';
export {
  type ReplayedDeadLetter,
  ReplayInterruptedError,
  type ReplayOptions,
  type ReplayResult,
} from '../admin/dead-letter-replay.js';
export type { DeadLetterPage, DeadLetterPageOptions, DeadLetterView } from '../admin/dead-letters.js';
export type {
  DelayedMessage,
  DelayedMessagePage,
  DelayedMessagesOptions,
  RecallableMessage,
} from '../admin/delayed-messages.js';
export type { BrokerFailure } from '../admin/each-broker.js';
export type {
  DeletedGroup,
  DeleteGroupOptions,
  GroupList,
  ListGroupsOptions,
} from '../admin/group-admin.js';
export type {
  ClientSubscription,
  GroupClient,
  GroupClients,
  GroupClientsOptions,
  SubscriptionDifference,
} from '../admin/group-clients.js';
export type { GroupDescription, GroupOnBroker, NewGroup } from '../admin/groups.js';
export type { GroupLag, LagOptions, QueueLag, TopicLag } from '../admin/lag.js';
export type { FoundMessages, MessageQuery } from '../admin/message-lookup.js';
export type {
  GivenUpHalfMessage,
  GivenUpPage,
  MessagePage,
  ResumableHalfMessage,
} from '../admin/message-pages.js';
export type { GroupTrail, MessageTrail, TrailCopy, TrailGap, TrailQuery, TrailRetry } from '../admin/message-trail.js';
export type { StoredMessageView } from '../admin/message-view.js';
export { originTopicOf } from '../admin/origin-topic.js';
export { positionOf } from '../admin/positions.js';
export type { QueueOffset } from '../admin/rewind.js';
export type { PlannedMove } from '../admin/rewind-plan.js';
export type { RewindRequest, RewindTarget } from '../admin/rewind-target.js';
export { RocketMQAdmin, type RocketMQAdminOptions } from '../admin/rocketmq-admin.js';
export type { TopicKind } from '../admin/system-names.js';
export type { TailedMessages, TailOptions } from '../admin/tail.js';
export type { DeletedTopic, ListedTopic, ListTopicsOptions, TopicList } from '../admin/topic-admin.js';
export type { TopicGroups } from '../admin/topic-groups.js';
export type { OrderConfiguration, TopicLayout } from '../admin/topic-layouts.js';
export type { QueueOffsets, TopicOffsets } from '../admin/topic-offsets.js';
export type { BrowseOptions, MessagePageOptions } from '../admin/topic-page.js';
export type { CreateOptions, NewTopic, TopicDescription, TopicOnBroker } from '../admin/topics.js';
export type { LiteGroup } from '../protocol/model/lite-group.js';
export type { TopicType } from '../protocol/model/message.js';
export type { MasterBroker } from '../remoting/cluster.js';
export type { GroupDelivery } from '../remoting/group-config.js';
export { RemotingError } from '../remoting/remoting-error.js';
export type { BackoffPolicy, CustomizedBackoff, ExponentialBackoff } from '../support/backoff.js';
export type { CallOptions } from '../support/deadline.js';
export { RocketMQError, StateError, TransportError, UsageError } from '../support/errors.js';
