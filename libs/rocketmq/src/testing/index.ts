// The entry `nestjs-rocketmq/testing`.

export type { FaultAction, FaultRule, Faults } from '../broker/services/faults.js';
export { ManualClock } from '../support/manual-clock.js';
export {
  type AdvanceOptions,
  type HalfMessage,
  type InFlightMessage,
  TestBroker,
  type TestBrokerOptions,
  type TestMessage,
  type VisibleMessage,
  type WaitingMessage,
} from './test-broker.js';
