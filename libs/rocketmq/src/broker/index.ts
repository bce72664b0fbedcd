// The entry `nestjs-rocketmq/broker`.

export type { AccessAction, BrokerPermission, BrokerUser } from './access/users.js';
export {
  ControlClient,
  type ControlClientOptions,
  ControlError,
  type DelayedMessageName,
  type MessageName,
  type PageOptions,
} from './control/control-client.js';
export { foreignHeader } from './control/control-guard.js';
export type {
  BrokerState,
  ClientState,
  DelayedMessageState,
  DeliveredAgainState,
  DeliveredNow,
  DeliveryState,
  GroupState,
  HalfMessageState,
  LagState,
  MessagePlace,
  MessageState,
  Page,
  TopicState,
  VisibleMessageState,
} from './control/control-views.js';
export { EmbeddedBroker } from './embedded-broker.js';
export type { EmbeddedBrokerOptions } from './embedded-broker-options.js';
export type { GroupDeclaration, TopicDeclaration } from './engine/registry.js';
export type { BrokerTlsOptions } from './server-tls.js';
export type { BrokerAddress } from './services/broker-context.js';
export type { ConnectionFault, FaultAction, FaultRule, Faults, PendingFault, TakeAway } from './services/faults.js';
export type { FlushMode } from './store/lmdb-store.js';
