// Times of both demos' messaging: visitors kill the processes, and see within seconds how what was open is finished.

import { type RocketMQModuleOptions, SECOND_MS } from 'nestjs-rocketmq';

export const MESSAGING_TIMES = {
  // The shortest that the server accepts: messages of a killed app are redelivered after it. Running handlers renew it.
  defaults: { invisibleDurationMs: 10 * SECOND_MS },
  // A local transaction takes milliseconds. The server's first check, after 6 s, rolls back what a killed app had begun.
  producer: { localTransactionTimeoutMs: 4 * SECOND_MS },
  // The launcher ends an app by force after 2 s.
  shutdownGraceMs: SECOND_MS,
} as const satisfies Partial<RocketMQModuleOptions>;
