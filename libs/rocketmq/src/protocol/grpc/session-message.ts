// What a client reads from its session: the commands of a proxy, and what the gateway adds in the same process.

import type { TelemetryCommand } from './generated/apache/rocketmq/v2/service.js';

/** Other consumers have queues now, and with them these deliveries. */
interface LeasesLost {
  readonly $case: 'leasesLost';
  readonly value: { readonly receiptHandles: readonly string[] };
}

/** A message of a session. */
export type SessionMessage = Omit<TelemetryCommand, 'command'> & {
  readonly command?: TelemetryCommand['command'] | LeasesLost;
};
