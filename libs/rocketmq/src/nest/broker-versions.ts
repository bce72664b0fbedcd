// Who finds out how old the brokers are, so that messages may share requests. Loaded only when name servers are given.

import type { SeenBrokers } from '../producer/batching.js';
import type { CheckedOptions } from './module-options.js';

/** Asks the brokers of a cluster. */
export interface BrokerVersionsSource {
  brokerVersions(): Promise<SeenBrokers>;
  close(): Promise<void>;
}

/**
 * What asks the brokers of the cluster; undefined when no name server is given, and for the broker inside the application, which
 * says what it is. Close it.
 * @throws UsageError for a wrong address
 */
export async function openBrokerVersions(options: CheckedOptions): Promise<BrokerVersionsSource | undefined> {
  const { target, nameServer, credentials, tls, logger } = options;
  if (nameServer === undefined || target.kind === 'embedded') return undefined;
  const { RocketMQAdmin } = await import('../admin/index.js');
  return new RocketMQAdmin({ nameServer, credentials, tls, logger });
}
