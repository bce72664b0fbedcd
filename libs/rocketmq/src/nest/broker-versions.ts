// Who finds out how old the brokers are, so that messages may share requests. Loaded only when name servers are given.

import type { RocketMQAdmin } from '../admin/index.js';
import type { CheckedOptions } from './module-options.js';

/**
 * What asks the brokers of the cluster; undefined when no name server is given, and for the broker inside the application, which
 * says what it is. Close it.
 * @throws UsageError for a wrong address
 */
export async function openBrokerVersions(options: CheckedOptions): Promise<RocketMQAdmin | undefined> {
  const { target, nameServer, credentials, tls, logger } = options;
  if (nameServer === undefined || target.kind === 'embedded') return undefined;
  const { RocketMQAdmin } = await import('../admin/index.js');
  return new RocketMQAdmin({ nameServer, credentials, tls, logger });
}
