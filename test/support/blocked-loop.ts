// Two consumers in one process whose event loop a handler blocks for longer than one of their leases.

import { Connection, Producer, PushConsumer, SECOND_MS } from 'nestjs-rocketmq/client';
import { eventually } from '../../tools/until.js';

const SHORT_LEASE_MS = 10 * SECOND_MS;
/** Longer than the short lease, and much shorter than the default of 30 s. */
const BLOCKED_MS = SHORT_LEASE_MS + 500;
const PATIENCE_MS = 90 * SECOND_MS;
/** The time limit of a test that plays it: on a busy machine a server finds ended leases late. */
export const BLOCKED_LOOP_MS = 150 * SECOND_MS;

/** A consumer group for each lease. */
export interface BlockedLoopGroups {
  readonly short: string;
  readonly byDefault: string;
}

/** Blocks all timers and sockets of the process. */
export function blockThread(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

/** What each consumer saw, until the message whose lease was lost was delivered again. */
export async function playBlockedLoop(
  endpoints: string,
  topic: string,
  groups: BlockedLoopGroups,
): Promise<{ short: string[]; byDefault: string[] }> {
  const connection = new Connection({ endpoints });
  const producer = new Producer(connection, {});
  const journals = { short: [] as string[], byDefault: [] as string[] };
  const lastAttempts = { short: 0, byDefault: 0 };
  let hasBlocked = false;
  let unblock = (): void => {};
  const unblocked = new Promise<void>((resolve) => {
    unblock = resolve;
  });
  const consumerOf = (kind: keyof BlockedLoopGroups, invisibleDurationMs?: number): PushConsumer =>
    new PushConsumer(connection, {
      consumerGroup: groups[kind],
      subscriptions: [{ topic }],
      ...(invisibleDurationMs === undefined ? {} : { invisibleDurationMs }),
      events: { onSettleFailed: (_message, settlement) => void journals[kind].push(`unsettled ${settlement.kind}`) },
      handler: async ({ deliveryAttempt }) => {
        const isCounted = deliveryAttempt > lastAttempts[kind];
        const isFirst = lastAttempts[kind] === 0;
        lastAttempts[kind] = deliveryAttempt;
        journals[kind].push(isFirst ? 'delivery' : isCounted ? 'redelivery' : `uncounted ${deliveryAttempt}`);
        // Whatever came before: both hold their message now.
        if (!hasBlocked && journals.short.length > 0 && journals.byDefault.length > 0) {
          hasBlocked = true;
          blockThread(BLOCKED_MS);
          unblock();
        }
        await unblocked;
      },
    });
  const consumers = [consumerOf('short', SHORT_LEASE_MS), consumerOf('byDefault')];
  try {
    await Promise.all([producer.start(), ...consumers.map((consumer) => consumer.start())]);
    await producer.send({ topic, body: 'held while nothing moves' });
    await eventually(
      () => journals.short,
      (seen) => seen.includes('redelivery'),
      PATIENCE_MS,
    );
  } finally {
    unblock();
    for (const consumer of consumers) await consumer.close();
    await producer.close();
    connection.close();
  }
  return journals;
}
