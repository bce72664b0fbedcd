// The request that recalls a delayed message.

import type { Client } from '../../client/client.js';
import { resource } from '../../client/route.js';
import { requireOk, StatusError } from '../../protocol/grpc/status.js';
import type { Deadline } from '../../support/deadline.js';
import { retryUntil } from '../../support/retry.js';

/** Identifies the message to recall: both fields are in the receipt of its send. */
export interface RecallTarget {
  readonly topic: string;
  readonly recallHandle: string;
}

/** Asks the broker that stores the message to drop it, and retries if the answer is lost. @throws StatusError or TransportError */
export async function recallMessage(
  client: Client,
  { topic, recallHandle }: RecallTarget,
  deadline: Deadline,
): Promise<{ readonly messageId: string }> {
  const { what } = deadline;
  const { connection } = client;
  const { queues } = await client.route(topic, deadline, 'delay');
  const broker = brokerOf(recallHandle);
  const endpoint = (queues.find(({ brokerName }) => brokerName === broker) ?? queues[0])?.endpoint;
  const request = { topic: resource(connection.namespace, topic), recallHandle };
  const attempt = async (): Promise<{ readonly messageId: string }> => {
    const call = { what, timeoutMs: client.attemptTimeoutMs(deadline), signal: deadline.signal };
    const { status, messageId } = await client.unary(endpoint ?? connection.bootstrap, 'recallMessage', request, call);
    requireOk(
      what,
      status,
      'recall must be enabled on the broker (recallMessageEnable), and a message that was due can no longer be recalled',
    );
    return { messageId };
  };
  // The server treats a second recall like the first. Its answer is final, including the code for "disabled".
  return retryUntil(deadline, client.pace, attempt, (error) => error.retryable && !(error instanceof StatusError));
}

/** The broker in a recall handle (`v1 topic broker time id` in Base64); undefined for an unknown format. */
function brokerOf(recallHandle: string): string | undefined {
  const [version, , broker] = Buffer.from(recallHandle, 'base64url').toString('utf8').split(' ');
  return version === 'v1' ? broker : undefined;
}
