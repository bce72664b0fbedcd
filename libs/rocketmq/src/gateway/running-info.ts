// What a client says of itself when an operator asks, in the form of the Java client, so that dashboards and mqadmin can read it.

import type { Consumption } from '../protocol/model/consumption.js';
import type { PulledQueueReport } from './pull/queue-report.js';
import { consumerData } from './registration.js';
import type { GatewaySession } from './session.js';

interface RunningInfoSource {
  readonly nameServers: readonly string[];
  readonly startedAtMs: number;
  readonly consumption: Consumption;
  readonly session: Pick<GatewaySession, 'settings' | 'group'> | undefined;
  /** Those that are pulled from the broker that asks; a broker with POP knows itself what it has handed out. */
  readonly queues: readonly PulledQueueReport[];
}

/**
 * JSON whose keys are objects, as Java writes them.
 * @param report a line for each fact
 * @see ConsumerRunningInfo of the server
 */
export function runningInfoOf(
  { nameServers, startedAtMs, consumption, session, queues }: RunningInfoSource,
  report: string,
): string {
  const { settings, group } = session ?? {};
  const [data] =
    settings === undefined || group === undefined ? [] : consumerData(settings, 0, group.abilities, consumption);
  const properties = {
    PROP_NAMESERVER_ADDR: nameServers.join(';'),
    PROP_CONSUME_TYPE: data?.consumeType ?? 'CONSUME_PASSIVELY',
    PROP_CONSUME_ORDERLY: String(group?.isOrdered === true),
    PROP_CONSUMER_START_TIMESTAMP: String(startedAtMs),
    PROP_CLIENT_VERSION: 'nestjs-rocketmq',
  };
  const rows = queues.map(({ name, info }) => `${JSON.stringify(name)}:${JSON.stringify(info)}`);
  const rest = { properties, subscriptionSet: data?.subscriptionDataSet ?? [], statusTable: {}, jstack: report };
  return `{"mqTable":{${rows.join(',')}},${JSON.stringify(rest).slice(1)}`;
}
