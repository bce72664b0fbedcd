// The request that takes a delayed message back.

import type { Client } from '../../client/client.js';
import { resource } from '../../client/route.js';
import { requireOk, StatusError } from '../../protocol/grpc/status.js';
import type { Deadline } from '../../support/deadline.js';
import { retryUntil } from '../../support/retry.js';

/** What recalls a message: both are in the receipt of its send. */
export interface RecallTarget {
  readonly topic: string;
  readonly recallHandle: string;
}

/** Asks the broker that holds the message to drop it; asks again when the answer is lost. @throws StatusError or TransportError */
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
      'recall must be switched on at the broker (recallMessageEnable), and comes too late once the message was due',
    );
    return { messageId };
  };
  // The server takes a second recall for a first. What it answers is final, also the code by which it says "switched off".
  return retryUntil(deadline, client.pace, attempt, (error) => error.retryable && !(error instanceof StatusError));
}

/** The broker that a recall handle names (`v1 topic broker time id` in Base64); undefined for a form not known here. */
function brokerOf(recallHandle: string): string | undefined {
  const [version, , broker] = Buffer.from(recallHandle, 'base64url').toString('utf8').split(' ');
  return version === 'v1' ? broker : undefined;
}
