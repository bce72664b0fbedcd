// The entry `nestjs-rocketmq/testing/jest-globals`.

export { useTestBroker } from '../../testing/runners/jest-globals.js';
