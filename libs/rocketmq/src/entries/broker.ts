// The entry `nestjs-rocketmq/broker`.

export type { AccessAction, BrokerPermission, BrokerUser } from '../broker/access/users.js';
export type { AdvertisedAddress } from '../broker/advertised-address.js';
export {
  AdvanceInterruptedError,
  ControlClient,
  type ControlClientOptions,
  ControlError,
  type DelayedMessageName,
  type MessageName,
  type PageOptions,
  type TimeJump,
} from '../broker/control/control-client.js';
export { foreignHeader } from '../broker/control/control-guard.js';
export type {
  AdvancedTime,
  BrokerState,
  ClientState,
  DelayedMessageState,
  DeliveredAgainState,
  DeliveredNow,
  DeliveryState,
  DueEvent,
  GroupState,
  HalfMessageState,
  LagState,
  MessagePlace,
  MessageState,
  Page,
  TimeState,
  TopicState,
  VisibleMessageState,
} from '../broker/control/control-views.js';
export { EmbeddedBroker } from '../broker/embedded-broker.js';
export type { EmbeddedBrokerOptions } from '../broker/embedded-broker-options.js';
export type { GroupDeclaration, TopicDeclaration } from '../broker/engine/registry.js';
export type { BrokerTlsOptions } from '../broker/server-tls.js';
export type {
  ConnectionChoice,
  ConnectionFault,
  FaultAction,
  FaultRule,
  Faults,
  PendingFault,
  TakeAway,
} from '../broker/services/faults.js';
export type { FlushMode } from '../broker/store/lmdb-store.js';
export type { LiteGroup } from '../protocol/model/lite-group.js';
