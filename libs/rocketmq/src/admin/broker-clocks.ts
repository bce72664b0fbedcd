// What time it is at each broker. No request asks for it; but a broker tells when it started and how long that is ago.

import { type CallOptions, monotonicMs, realTimeIn } from '../support/deadline.js';
import { jsonOf } from './answers.js';
import type { MasterBroker } from './cluster.js';
import type { ClusterAccess } from './cluster-access.js';
import { type BrokerFailure, fromEach } from './each-broker.js';

/** The clock of a broker beside that of this machine. */
export interface BrokerClock extends MasterBroker {
  /** How far the broker's clock is ahead, in milliseconds; negative: it is behind. Undefined when the broker does not tell. */
  readonly aheadMs: number | undefined;
  /** How far `aheadMs` may be off, in either direction: half a second, since the broker tells whole ones, and half the way. */
  readonly errorMs: number;
}

export interface BrokerClocks {
  /** By name. */
  readonly brokers: readonly BrokerClock[];
  /** Brokers that did not answer. Empty when all is well. */
  readonly failures: readonly BrokerFailure[];
}

const UPTIME = /^\D*(\d+) days?, (\d+) hours?, (\d+) minutes?, (\d+) seconds?/;
/** The broker cuts its uptime down to whole seconds. */
const HALF_A_SECOND_MS = 500;

/** @see StoreStatsService.getRuntimeInfo of the server (`bootTimestamp`, `runtime`), in the answer to request code 28 */
export async function brokerClocks(cluster: ClusterAccess, options?: CallOptions): Promise<BrokerClocks> {
  return cluster.run('ask for the time of brokers', options, async (deadline) => {
    const { answers, failures } = await fromEach(await cluster.masters(deadline), async (broker) => {
      // The first question may have to connect, which takes longer one way than the other.
      await cluster.call(broker, { code: 28 }, deadline);
      const askedAtMs = monotonicMs();
      const { table } = jsonOf(await cluster.call(broker, { code: 28 }, deadline));
      const wayMs = monotonicMs() - askedAtMs;
      const toldMs = timeOf((table ?? {}) as Record<string, unknown>);
      const nowMs = realTimeIn(0).getTime();
      const errorMs = HALF_A_SECOND_MS + Math.ceil(wayMs / 2);
      return { aheadMs: toldMs === undefined ? undefined : Math.round(toldMs + wayMs / 2 - nowMs), errorMs };
    });
    return { brokers: answers.map(({ broker, value }) => ({ ...broker, ...value })), failures };
  });
}

/** The middle of the second in which the broker answered. */
function timeOf({ bootTimestamp, runtime }: Record<string, unknown>): number | undefined {
  const startedAtMs = Number(bootTimestamp);
  const [, days, hours, minutes, seconds] = UPTIME.exec(String(runtime))?.map(Number) ?? [];
  if (!(startedAtMs > 0) || days === undefined || hours === undefined || minutes === undefined) return undefined;
  const uptimeSeconds = ((days * 24 + hours) * 60 + minutes) * 60 + (seconds ?? 0);
  return startedAtMs + uptimeSeconds * 1000 + HALF_A_SECOND_MS;
}
