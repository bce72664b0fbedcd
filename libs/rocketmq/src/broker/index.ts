// The entry `nestjs-rocketmq/broker`.

export { EmbeddedBroker, type EmbeddedBrokerOptions } from './embedded-broker.js';
export type { GroupDeclaration, TopicDeclaration } from './engine/registry.js';
export type { BrokerAddress } from './services/broker-context.js';
export type { FaultAction, FaultRule, Faults } from './services/faults.js';
