// The broker inside the application, for `endpoints: 'embedded:'`. Loaded only when needed.

import type { Declarations } from '../cluster/declarations.js';
import type { CheckedOptions } from './module-options.js';

/** `ControlClient` of `nestjs-rocketmq/broker`. */
export type EmbeddedControl = InstanceType<
  typeof import('../../broker/embedded-broker.js')['EmbeddedBroker']
>['control'];

/** A running broker of this application. */
export interface EmbeddedEndpoint {
  readonly endpoints: string;
  /** Where administrators connect. @throws StateError unless it was requested */
  readonly nameServerEndpoint: string;
  readonly control: EmbeddedControl;
  stop(): Promise<void>;
}

/** Starts a broker with the application's topics and groups by their types; others are created at first use. */
export async function startEmbeddedBroker(
  options: CheckedOptions,
  { topics, groups }: Declarations,
  withAdmin: boolean,
): Promise<EmbeddedEndpoint> {
  const { clock, logger, startTimeoutMs, target } = options;
  const data = target.kind === 'embedded' ? target.data : undefined;
  if (process.env.NODE_ENV === 'production')
    logger.warn(`the embedded broker is running in production: ${riskOf(data)}`);
  const { EmbeddedBroker } = await import('../../broker/embedded-broker.js');
  // A folder keeps a time that was moved, which production would have to go on with.
  const timeTravel = data === undefined && clock === undefined && process.env.NODE_ENV !== 'production';
  const broker = new EmbeddedBroker({ clock, timeTravel, logger, data, nameServerPort: withAdmin ? 0 : undefined });
  for (const { name, type, queues } of topics) {
    if (type !== undefined) broker.declareTopic({ name, type, queues });
  }
  for (const group of groups) broker.declareGroup(group);
  await broker.start({ timeoutMs: startTimeoutMs });
  return broker;
}

function riskOf(data: string | undefined): string {
  return data === undefined
    ? 'messages are kept in the memory of this process and are lost when it ends'
    : `messages are kept in ${data} on this machine only, and cannot be sent or received while this process is down`;
}
