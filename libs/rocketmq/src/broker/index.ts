// The entry `nestjs-rocketmq/broker`.

export type { AccessAction, BrokerPermission, BrokerUser } from './access/users.js';
export { EmbeddedBroker } from './embedded-broker.js';
export type { EmbeddedBrokerOptions } from './embedded-broker-options.js';
export type { GroupDeclaration, TopicDeclaration } from './engine/registry.js';
export type { BrokerTlsOptions } from './server-tls.js';
export type { BrokerAddress } from './services/broker-context.js';
export type { FaultAction, FaultRule, Faults } from './services/faults.js';
export type { FlushMode } from './store/lmdb-store.js';
