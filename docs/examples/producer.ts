import {
  type Connection,
  type Outcome,
  type OutgoingMessage,
  Producer,
  RocketMQError,
  type SendInterceptor,
} from 'nestjs-rocketmq/client';

/** Around every send: whoever receives it finds out for whom it was sent. */
const forTenant =
  (tenant: string): SendInterceptor =>
  (message, next) =>
    next({ ...message, properties: { ...message.properties, tenant } });

export function invoiceProducer(connection: Connection, lost: (messageId: string) => void): Producer {
  return new Producer(connection, {
    // A misspelt topic is found at start, not at the first send.
    topics: { invoices: 'normal' },
    maxAttempts: 3,
    // At most 500 messages under way; a send beyond them waits within its own deadline.
    maxInFlight: 500,
    whenFull: 'wait',
    compression: { thresholdBytes: 8 * 1024 },
    interceptors: [forTenant('acme')],
    events: { onOnewayFailed: ({ messageId }) => lost(messageId) },
  });
}

/** What is true of the message afterwards. */
export async function sendInvoice(producer: Producer, message: OutgoingMessage): Promise<'stored' | Outcome> {
  try {
    await producer.send(message, { timeoutMs: 5_000 });
    return 'stored';
  } catch (error) {
    // Whoever aborts a send gets the own reason, which says nothing of the message.
    if (!RocketMQError.is(error)) return 'unknown';
    return error.outcome;
  }
}

/** Sends all, and gives back those that may be sent again without a second copy. */
export async function sendInvoices(
  producer: Producer,
  messages: readonly OutgoingMessage[],
): Promise<OutgoingMessage[]> {
  const outcomes = await producer.sendBatch(messages, { concurrency: 16 });
  return messages.filter((_, index) => {
    const outcome = outcomes[index];
    if (outcome?.status !== 'failed' || !RocketMQError.is(outcome.error)) return false;
    return outcome.error.retryable && outcome.error.outcome !== 'unknown';
  });
}
