// Two consumers in one process whose event loop a handler blocks for longer than one of their leases.

import { Connection, Producer, PushConsumer, SECOND_MS } from 'nestjs-rocketmq/client';

const SHORT_LEASE_MS = 10 * SECOND_MS;
/** Longer than the short lease, and much shorter than the default of 30 s. */
const BLOCKED_MS = SHORT_LEASE_MS + 500;

/** A consumer group for each lease. */
export interface BlockedLoopGroups {
  readonly short: string;
  readonly byDefault: string;
}

/** What each consumer saw, until the message whose lease was lost was handled again. */
export async function playBlockedLoop(
  endpoints: string,
  topic: string,
  groups: BlockedLoopGroups,
): Promise<{ short: string[]; byDefault: string[] }> {
  const connection = new Connection({ endpoints });
  const producer = new Producer(connection, {});
  const begun = new Set<string>();
  const journals = { short: [] as string[], byDefault: [] as string[] };
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
        journals[kind].push(`attempt ${deliveryAttempt}`);
        begun.add(kind);
        if (begun.size === 2 && deliveryAttempt === 1) {
          // Both hold their message now. This blocks all timers and sockets of the process.
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCKED_MS);
          unblock();
        }
        await unblocked;
      },
    });
  const consumers = [consumerOf('short', SHORT_LEASE_MS), consumerOf('byDefault')];
  try {
    await Promise.all([producer.start(), ...consumers.map((consumer) => consumer.start())]);
    await producer.send({ topic, body: 'held while nothing moves' });
    while (!journals.short.includes('attempt 2')) await new Promise((resolve) => setTimeout(resolve, 20));
  } finally {
    for (const consumer of consumers) await consumer.close();
    await producer.close();
    connection.close();
  }
  return journals;
}
