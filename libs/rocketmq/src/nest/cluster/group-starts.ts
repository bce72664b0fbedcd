// Where consumer groups begin that have never received: the option `startFrom` of listeners.

import { RocketMQError } from '../../support/errors.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';
import type { StartFrom } from '../listening/listener-settings.js';
import type { Admin } from './admin-access.js';

type RewindTarget = Parameters<Admin['rewindGroup']>[0]['to'];

/** The listeners that need an admin connection for it. */
export function whoChoosesStart(consumers: readonly PlannedConsumer[]): string[] {
  const listeners = consumers.filter(({ mode }) => mode === 'shared').flatMap((consumer) => consumer.listeners);
  return listeners.filter(({ settings }) => settings.startFrom !== undefined).map(({ name }) => `listener ${name}`);
}

/** Moves a group to its start. A missing topic is left to the consumer, whose error names it. @throws what the admin connection throws */
export async function moveToStart(
  admin: Admin,
  { consumerGroup, topic, from }: { readonly consumerGroup: string; readonly topic: string; readonly from: StartFrom },
  signal: AbortSignal | undefined,
): Promise<void> {
  const to: RewindTarget = from instanceof Date ? { kind: 'time', time: from } : { kind: from };
  try {
    await admin.rewindGroup({ consumerGroup, topic, to }, { signal });
  } catch (error) {
    if (!(RocketMQError.is(error) && error.code === 'UNKNOWN_TOPIC')) throw error;
  }
}

/**
 * Moves a group to its start in each topic from which it has never received. Instances that start at the same time may both do so: what one of
 * them has handled by then is delivered again.
 * @throws what the admin connection throws
 */
export async function placeNewGroup(
  { consumerGroup, requireFifo: fifo, starts }: PlannedConsumer,
  { admin, signal }: { readonly admin: Admin; readonly signal: AbortSignal },
): Promise<void> {
  for (const [topic, from] of starts) {
    const lag = await admin.groupLag(consumerGroup, { topic, signal });
    const [failure] = lag.failures;
    // Its position may be on the broker that does not answer.
    if (failure !== undefined) throw failure.error;
    const queues = lag.topics[0]?.queues ?? [];
    if (queues.some(({ hasStarted }) => hasStarted)) continue;
    await admin.createGroup({ consumerGroup, fifo }, { signal, ifExists: 'keep' });
    await moveToStart(admin, { consumerGroup, topic, from }, signal);
  }
}
