// Messaging timeouts of both demos, short enough that visitors see within seconds how the demos recover from a killed process.

import { type RocketMQModuleOptions, SECOND_MS } from 'nestjs-rocketmq';

export const MESSAGING_TIMES = {
  // The shortest that the server accepts: messages of a killed app are redelivered after it. Running handlers renew it.
  defaults: { invisibleDurationMs: 10 * SECOND_MS },
  // A local transaction takes milliseconds. The server's first check, after 6 s, rolls back the transactions of a killed app.
  producer: { localTransactionTimeoutMs: 4 * SECOND_MS },
  // The launcher kills an app after 2 s.
  shutdownGraceMs: SECOND_MS,
} as const satisfies Partial<RocketMQModuleOptions>;
