import {
  type Connection,
  type Outcome,
  type OutgoingMessage,
  Producer,
  RocketMQError,
  type SendInterceptor,
} from 'nestjs-rocketmq/client';

/** Wraps every send and adds the tenant, so that receivers can read it. */
const forTenant =
  (tenant: string): SendInterceptor =>
  (message, next) =>
    next({ ...message, properties: { ...message.properties, tenant } });

export function invoiceProducer(connection: Connection, lost: (messageId: string) => void): Producer {
  return new Producer(connection, {
    // Checked by start(), so that a misspelled topic does not fail at the first send only.
    topics: { invoices: 'normal' },
    maxAttempts: 3,
    // At most 500 messages in flight. Further sends wait, within their own deadlines.
    maxInFlight: 500,
    whenFull: 'wait',
    compression: { thresholdBytes: 8 * 1024 },
    interceptors: [forTenant('acme')],
    events: { onOnewayFailed: ({ messageId }) => lost(messageId) },
  });
}

/** @returns what is true of the message afterwards */
export async function sendInvoice(producer: Producer, message: OutgoingMessage): Promise<Outcome> {
  try {
    await producer.send(message, { timeoutMs: 5_000 });
    return 'stored';
  } catch (error) {
    // An aborted send rejects with the reason of its signal, which says nothing about the message.
    if (!RocketMQError.is(error)) return 'unknown';
    return error.outcome;
  }
}

/** @returns the messages that can be sent again without creating a duplicate */
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
