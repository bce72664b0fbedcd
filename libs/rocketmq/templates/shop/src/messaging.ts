// How both services connect. "npm start" sets the variables.

import type { RocketMQModuleOptions } from 'nestjs-rocketmq';

const env = process.env;

export const messaging: RocketMQModuleOptions = {
  endpoints: env.ROCKETMQ_ENDPOINTS ?? '127.0.0.1:8081',
  nameServer: env.ROCKETMQ_NAME_SERVER ?? '127.0.0.1:9876',
  // Creates the topics and groups that this code declares.
  provision: 'create',
};

/** With an embedded broker, the console can move the time. */
export const control =
  env.ROCKETMQ_CONTROL === undefined
    ? undefined
    : { endpoint: env.ROCKETMQ_CONTROL };
