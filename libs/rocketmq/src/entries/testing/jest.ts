// The entry `nestjs-rocketmq/testing/jest`.

export { useTestBroker } from '../../testing/runners/jest.js';
