// The entry `nestjs-rocketmq/testing`.

export type { ConnectionFault, FaultAction, FaultRule, Faults } from '../broker/services/faults.js';
export type { DeliveryOutcome } from '../nest/runtime/listener-trial.js';
export { type Checkpoint, type CheckpointHook, withCheckpoints } from '../support/checkpoints.js';
export { ManualClock } from '../support/manual-clock.js';
export type { Closable } from '../testing/closables.js';
export {
  type DeliverOptions,
  deliver,
  deliverBatch,
  type InjectionContext,
  type ListenerClass,
  type MethodOf,
} from '../testing/deliver.js';
export type { AsymmetricMatch, Expected, ExpectedDelivery, ExpectedMessage } from '../testing/expected-message.js';
export { FakeProducer, type FakeProducerOptions, fakeProducer, type SendFailure } from '../testing/fake-producer.js';
export { type RocketMQMatchers, rocketmqMatchers } from '../testing/matchers.js';
export type { SentMessage } from '../testing/sent-observation.js';
export { type AdvanceOptions, TestBroker, type TestBrokerOptions } from '../testing/test-broker.js';
export type {
  HalfMessage,
  InFlightMessage,
  PendingMessage,
  TestDeadLetter,
  TestMessage,
  VisibleMessage,
  WaitingMessage,
} from '../testing/test-messages.js';
export type { UseTestBrokerOptions } from '../testing/test-scope.js';
