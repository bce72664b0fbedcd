// The request that ends a transaction.

import type { Client } from '../../client/client.js';
import type { Endpoint } from '../../client/endpoint.js';
import { resource } from '../../client/route.js';
import {
  TransactionResolution,
  TransactionSource,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { requireOk } from '../../protocol/grpc/status.js';
import { withDeadline } from '../../support/deadline.js';
import { retryUntil } from '../../support/retry.js';
import type { EndSource, Resolution, TransactionIdentity } from './transaction.js';

/**
 * Sends the resolution to the server that stores the half message, within `requestTimeoutMs` of the connection. A request that
 * certainly had no effect is retried in that time; one whose answer was lost is not, because the server would treat a second end as
 * an error. An OK proves nothing: the proxy forwards the request without waiting.
 * @throws StatusError or TransportError; the server's check then settles it
 */
export async function endTransaction(
  client: Client,
  endpoint: Endpoint,
  { topic, messageId, transactionId }: TransactionIdentity,
  resolution: Resolution,
  source: EndSource,
): Promise<void> {
  const what = `${resolution} of transaction ${transactionId} on "${topic}"`;
  const request = {
    topic: resource(client.connection.namespace, topic),
    messageId,
    transactionId,
    resolution: resolution === 'commit' ? TransactionResolution.COMMIT : TransactionResolution.ROLLBACK,
    source: source === 'client' ? TransactionSource.SOURCE_CLIENT : TransactionSource.SOURCE_SERVER_CHECK,
    traceContext: '',
  };
  await withDeadline(what, client.connection.requestTimeoutMs, undefined, (deadline) => {
    const attempt = async (): Promise<void> => {
      const options = { what, timeoutMs: client.attemptTimeoutMs(deadline), signal: deadline.signal };
      const { status } = await client.unary(endpoint, 'endTransaction', request, options);
      requireOk(what, status);
    };
    return retryUntil(deadline, client.pace, attempt, (error) => error.retryable && error.outcome !== 'unknown');
  });
}
