// What `nestjs-rocketmq/admin` exports.

export type { BackoffPolicy, CustomizedBackoff, ExponentialBackoff } from '../support/backoff.js';
export type { CallOptions } from '../support/deadline.js';
export { RocketMQError, StateError, TransportError, UsageError } from '../support/errors.js';
export type { MasterBroker } from './cluster.js';
export type { GroupDefinition, GroupDescription } from './groups.js';
export { PartlyDoneError, RemotingError } from './remoting-error.js';
export { RocketMQAdmin, type RocketMQAdminOptions } from './rocketmq-admin.js';
export type { TopicDefinition, TopicDescription, TopicOnBroker, TopicType } from './topics.js';
