// The time at each broker. No request returns it, but a broker reports when it started and how long ago that was.

import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import { jsonOf } from '../remoting/answers.js';
import type { MasterBroker } from '../remoting/cluster.js';
import type { ClusterAccess } from '../remoting/cluster-access.js';
import { type CallOptions, monotonicMs, realTimeIn } from '../support/deadline.js';
import { type BrokerFailure, fromEach } from './each-broker.js';

/** The clock of a broker compared to that of this machine. */
export interface BrokerClock extends MasterBroker {
  /** How far the broker's clock is ahead, in milliseconds; negative when it is behind. Undefined when the broker does not report it. */
  readonly aheadMs: number | undefined;
  /** The error of `aheadMs` in either direction, in milliseconds: half a second, since the broker reports seconds, plus half the round trip. */
  readonly errorMs: number;
}

export interface BrokerClocks {
  /** By name. */
  readonly brokers: readonly BrokerClock[];
  /** Brokers that did not answer. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

const UPTIME = /^\D*(\d+) days?, (\d+) hours?, (\d+) minutes?, (\d+) seconds?/;
/** The broker truncates its uptime to seconds. */
const HALF_A_SECOND_MS = 500;

/** @see StoreStatsService.getRuntimeInfo of the server (`bootTimestamp`, `runtime`), in the answer to request code 28 */
export async function brokerClocks(cluster: ClusterAccess, options?: CallOptions): Promise<BrokerClocks> {
  return cluster.run('ask for the time of brokers', options, async (deadline) => {
    const { answers, failures } = await fromEach(cluster, deadline, async (broker, own) => {
      // The first request may have to connect, which makes the request take longer than the answer.
      await cluster.call(broker, { code: REQUEST_CODES.getBrokerRuntimeInfo }, own);
      const askedAtMs = monotonicMs();
      const { table } = jsonOf(await cluster.call(broker, { code: REQUEST_CODES.getBrokerRuntimeInfo }, own));
      const wayMs = monotonicMs() - askedAtMs;
      const brokerMs = timeOf((table ?? {}) as Record<string, unknown>);
      const nowMs = realTimeIn(0).getTime();
      const errorMs = HALF_A_SECOND_MS + Math.ceil(wayMs / 2);
      return { aheadMs: brokerMs === undefined ? undefined : Math.round(brokerMs + wayMs / 2 - nowMs), errorMs };
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
