// The broker inside the application, for `endpoints: 'embedded:'`. Loaded only when asked for.

import type { Declarations } from '../operations/declarations.js';
import type { CheckedOptions } from './module-options.js';

/** A running broker of this application. */
export interface EmbeddedEndpoint {
  readonly endpoints: string;
  /** Where administrators connect. @throws StateError unless it was asked for */
  readonly adminEndpoint: string;
  stop(): Promise<void>;
}

/** Starts a broker that knows the application's topics and groups by their types; others come into being at first use. */
export async function startEmbeddedBroker(
  options: CheckedOptions,
  { topics, groups }: Declarations,
  withAdmin: boolean,
): Promise<EmbeddedEndpoint> {
  const { clock, logger, startTimeoutMs, target } = options;
  const data = target.kind === 'embedded' ? target.data : undefined;
  if (process.env.NODE_ENV === 'production') logger.warn(`the embedded broker runs in production: ${riskOf(data)}`);
  const { EmbeddedBroker } = await import('../../broker/embedded-broker.js');
  const broker = new EmbeddedBroker({ clock, logger, data, adminPort: withAdmin ? 0 : undefined });
  for (const { name, type, queues } of topics) {
    if (type !== undefined) broker.declareTopic({ name, type, queues });
  }
  for (const group of groups) broker.declareGroup(group);
  await broker.start({ timeoutMs: startTimeoutMs });
  return broker;
}

function riskOf(data: string | undefined): string {
  return data === undefined
    ? 'messages are in the memory of this process, and die with it'
    : `messages are in ${data} on this machine only, and nobody takes them while this process is down`;
}
