// The entry `nestjs-rocketmq/testing/vitest`.

export { useTestBroker, type WithTestBrokerOptions, withTestBroker } from '../../testing/runners/vitest.js';
